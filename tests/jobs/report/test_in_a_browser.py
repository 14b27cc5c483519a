"""The report in a real browser: nothing is fetched, nothing overflows, everything can be read and reached."""

import io
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from jobs.report import page as report_parts
from jobs.report.page import Figure, Section, SoundGroup, embedded_sound
from jobs.report.rendering import render

CONTRAST = """
(selector) => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => channels(color).slice(0, 3)
    .map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = luminance(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll(selector)].map((element) => {
    const style = getComputedStyle(element);
    const front = luminance(element instanceof SVGElement ? style.fill : style.color);
    return (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05);
  });
}
"""


DRAWN = "(place) => place.offsetParent === null || place.querySelector('svg') !== null"
AXIS_TEXTS = ".role-axis-label text, .role-axis-title text, .role-legend-label text"


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser_path)
        yield running
        running.close()


def opened(browser: Browser, path: Path, *, width: int = 1280, scheme: str = "light") -> Page:
    """The report in a window of its own; any complaint or request of the page fails the test."""
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.extend([request.url] * (request.url != path.as_uri())))
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    assert becomes_true(page, "[...document.querySelectorAll('.chart')].every(DRAWN)".replace("DRAWN", DRAWN))
    assert complaints == []
    return page


@pytest.fixture(scope="module")
def window(browser: Browser, report_file: Path) -> Callable[..., Page]:
    """The report in a window that tests share, of a width and a colour scheme."""

    @cache
    def shared(*, width: int = 1280, scheme: str = "light") -> Page:
        return opened(browser, report_file, width=width, scheme=scheme)

    return shared


def becomes_true(page: Page, expression: str, *, seconds: float = 10.0) -> bool:
    """Wait for it; Playwright's own waiting evaluates inside the page, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression) and time.monotonic() < end:
        page.wait_for_timeout(50)
    return bool(page.evaluate(expression))


@pytest.mark.parametrize("width", [1280, 360])
def test_it_opens_without_complaints_requests_or_sideways_scrolling(
    window: Callable[..., Page], width: int
) -> None:
    page = window(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.chart svg')].filter((e) => !e.closest('.wide'))"
    assert page.evaluate(f"Math.max(...{wide}.map((e) => e.getBoundingClientRect().right))") <= width
    assert page.evaluate("document.querySelectorAll('.chart svg').length") > 30


def test_letters_in_charts_stay_readable_on_a_telephone(window: Callable[..., Page]) -> None:
    page = window(width=360)
    heights = page.evaluate(
        "[...document.querySelectorAll('.chart svg text')].map((e) => e.getBoundingClientRect().height)"
    )
    assert min(heights) > 9, "pixels, line height included"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_text_has_enough_contrast(window: Callable[..., Page], scheme: str) -> None:
    page = window(scheme=scheme)
    selectors = "p, dt, dd, a, summary, figcaption, h1, h2, h3, h4, h5, " + AXIS_TEXTS
    contrasts = page.evaluate(CONTRAST, selectors)
    assert len(contrasts) > 500
    assert min(contrasts) >= 4.5, "WCAG 2.2, level AA"


def test_dark_is_dark_and_paper_is_white(window: Callable[..., Page]) -> None:
    page = window(scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(20, 21, 24)"
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")


def test_tables_open_and_scroll_by_keyboard_alone(browser: Browser, report_file: Path) -> None:
    page = opened(browser, report_file, width=360)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details:not([open]) > summary')"):
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    page.evaluate("document.querySelector('.scroll').focus()")
    page.keyboard.press("ArrowRight")
    assert becomes_true(page, "document.querySelector('.scroll').scrollLeft > 0")


def test_what_scrolls_has_a_shadow_where_there_is_more(window: Callable[..., Page]) -> None:
    page = window(width=360)
    shades = page.evaluate(
        "[...document.querySelectorAll('.scroll, .wide .drawing, .sql')]"
        ".map((e) => getComputedStyle(e).backgroundAttachment)"
    )
    assert set(shades) == {"local, local, scroll, scroll"}, "the covers move with the content"


def test_paper_has_charts_and_open_tables_but_nothing_to_click(window: Callable[..., Page]) -> None:
    page = window()
    page.emulate_media(media="print")
    shown = {
        selector: page.locator(selector).first.is_visible()
        for selector in (".chart svg", "details[open] table", "nav", "details:not([open])")
    }
    assert shown == {
        ".chart svg": True,
        "details[open] table": True,
        "nav": False,
        "details:not([open])": False,
    }
    inside = "getComputedStyle(document.querySelector('{}')).breakInside"
    assert [page.evaluate(inside.format(one)) for one in (".panel", "tr", ".figure")] == [
        "avoid", "avoid", "auto"
    ], "a figure with a long table may go on on the next page"  # fmt: skip
    ends = "[...document.querySelectorAll('details[open] td')].map((e) => e.getBoundingClientRect().right)"
    assert max(page.evaluate(ends)) <= 1280
    assert not page.locator("[id='5eed-sounds']").is_visible(), "no heading without its sounds"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="screen")


def test_a_pointer_on_a_dot_shows_the_number_of_the_table(window: Callable[..., Page]) -> None:
    page = window()
    figure = page.locator("[id='3f2a9c10-style-probes']")
    rows = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    table = figure.locator("tbody tr").evaluate_all(rows)
    (_, _, _, _, score, low, high, *_) = next(
        row for row in table if row[:4] == ["resid", "mean", "mse", "5"]
    )
    figure.locator(".panel").first.locator(".mark-symbol.role-mark path").nth(5).hover()
    said = page.locator("#vg-tooltip-element").inner_text().split("\n")
    words = [word.strip() for word in said if word.strip()]
    assert words == ["MSE probe", "layer", "5", "accuracy", score, "interval", f"{low} to {high}"]


def test_tables_sort_by_number_and_filter_by_words(window: Callable[..., Page]) -> None:
    page = window()
    figure = page.locator("[id='3f2a9c10-style-probes']")
    figure.locator("summary").first.click()
    rows = figure.locator("tbody tr:not([hidden])")
    texts = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"

    def scores() -> list[float]:
        return [float(row[4]) for row in rows.evaluate_all(texts)]

    before = scores()
    head = figure.locator("th button").nth(4)
    head.click()
    assert scores() == sorted(before) != before
    head.click()
    assert scores() == sorted(before, reverse=True)
    figure.locator("input[type=search]").fill("mlp logistic")
    assert {(row[0], row[2]) for row in rows.evaluate_all(texts)} == {("mlp", "logistic")}
    assert rows.count() == 8


def test_axe_finds_no_serious_fault(window: Callable[..., Page]) -> None:
    page = window()
    page.evaluate(Axe().axe_script)
    parts = [["header"], ["[id='3f2a9c10-chord']"], ["[id='5eed']"]]
    context = {"include": parts, "exclude": [["tbody tr:nth-child(n+4)"]]}
    options = {"resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": False}}}
    found = page.evaluate("([context, options]) => axe.run(context, options)", [context, options])
    serious = {
        one["id"]: [node["html"][:200] for node in one["nodes"]][:3]
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    }
    assert serious == {}, "contrasts are measured above"
    assert len(found["passes"]) > 10


@pytest.fixture
def listening_page(tmp_path: Path) -> Path:
    """A page with the three kinds of audio files."""
    groups = []
    for ending in ("flac", "wav", "mp3"):
        stream = io.BytesIO()
        samples = 0.05 * np.sin(2 * np.pi * 440 * np.arange(160_000) / 16_000)
        soundfile.write(stream, samples, 16_000, format=ending.upper())
        groups.append(SoundGroup(ending, (embedded_sound(ending, stream.getvalue(), f"a.{ending}"),)))
    figure = Figure("listen", "Listen", "Source, steered, control.", sounds=tuple(groups))
    path = tmp_path / "listen.html"
    page = report_parts.Page("Sounds", "", [], [Section("run", "Run", figures=(figure,))])
    path.write_text(render(page, generator="test"), encoding="utf-8")
    return path


def test_players_play_by_keyboard_and_one_at_a_time(browser: Browser, listening_page: Path) -> None:
    page = opened(browser, listening_page)
    players = "[...document.querySelectorAll('audio')]"
    assert becomes_true(page, f"{players}.every((player) => player.readyState >= 1)")
    durations = page.evaluate(f"{players}.map((player) => player.duration)")
    assert durations == pytest.approx([10.0, 10.0, 10.0], abs=0.1)
    for place in range(3):
        page.evaluate(f"{players}[{place}].focus()")
        page.keyboard.press("Space")
        assert becomes_true(page, f"{players}[{place}].currentTime > 0.05")
        playing = page.evaluate(f"{players}.map((player) => !player.paused)")
        assert playing == [place == other for other in range(3)]
