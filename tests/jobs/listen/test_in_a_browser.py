"""The listening test in a real browser, by keyboard alone, from its first screen to ratings in the store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Window

from jobs.listen.importing import import_ratings
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.opening import Store

TRIALS = 12


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser_path)
        yield running
        running.close()


def opened(browser: Browser, page: Path, *, seed: int = 7, width: int = 900) -> tuple[Window, list[str]]:
    """A window with a memory of its own, and what it complains of or asks the network for."""
    window = browser.new_context(viewport={"width": width, "height": 800}, accept_downloads=True).new_page()
    complaints: list[str] = []
    window.on("console", lambda message: complaints.append(message.text))
    window.on("pageerror", lambda error: complaints.append(str(error)))
    folder = page.parent.as_uri()
    window.on(
        "request", lambda request: complaints.extend([request.url] * (not request.url.startswith(folder)))
    )
    window.goto(f"{page.as_uri()}?seed={seed}")
    return window, complaints


def begin(window: Window, name: str = "") -> None:
    window.locator("#listener").focus()
    window.keyboard.type(name)
    window.keyboard.press("Enter")


def is_rating(window: Window) -> bool:
    return window.locator("#sounds input[type=range]").count() > 0


def listen(window: Window) -> None:
    """Play every sound by its key."""
    keys = ["0"] * is_rating(window) + [str(1 + n) for n in range(window.locator("#sounds li").count())]
    for number, key in enumerate(keys):
        window.keyboard.press(key)
        playing = "document.querySelectorAll('.playing').length === 1"
        for _ in range(200):
            if window.evaluate(f"{playing} && answer().heard.length > {number}"):
                break
            window.wait_for_timeout(10)
    assert window.evaluate("answer().heard.length") == len(keys)


def judge(window: Window, presses: int) -> None:
    if is_rating(window):
        for slider in window.locator("#sounds input[type=range]").all():
            slider.focus()
            for _ in range(presses):
                window.keyboard.press("ArrowRight")
    else:
        window.locator("#sounds input[type=radio]").first.focus()
        window.keyboard.press("Space")


def go_on(window: Window) -> None:
    window.locator("#next").focus()
    window.keyboard.press("Enter")


def order(window: Window) -> Any:
    return window.evaluate(
        "[sitting.order, sitting.order.map((t) => shuffled(trials.get(t).sounds, `${sitting.seed}:${t}`))]"
    )


def test_by_keyboard_alone_from_the_first_screen_to_ratings_in_the_store(
    browser: Browser, page: Path, sweep_store: Store, tmp_path: Path
) -> None:
    window, complaints = opened(browser, page)
    begin(window, "Ada")
    expected: dict[str, int] = {}
    for trial in range(TRIALS):
        assert window.locator("#progress").inner_text() == f"{1 + trial} of {TRIALS}"
        listen(window)
        judge(window, presses=trial + 1)
        if is_rating(window):
            expected[window.evaluate("current().trial")] = 51 + trial
        go_on(window)
    assert window.locator("#end").is_visible()
    window.locator("#save").focus()
    with window.expect_download() as download:
        window.keyboard.press("Enter")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert complaints == []
    assert import_ratings(sweep_store.url, [path])["new"] == 1
    sql = "SELECT DISTINCT trial_id, value, listener, seed FROM ratings WHERE kind = 'rating'"
    rows = run_query(refresh_catalog(sweep_store), sql).to_pylist()
    assert {row["trial_id"]: row["value"] for row in rows} == expected
    assert {(row["listener"], row["seed"]) for row in rows} == {("Ada", 7)}
    chosen = run_query(
        refresh_catalog(sweep_store), "SELECT shown FROM ratings WHERE kind = 'choice' AND value = 1"
    )
    assert chosen["shown"].to_pylist() == [0] * 6, "always the first on the screen"


def test_the_order_follows_from_the_seed_on_the_page(browser: Browser, page: Path) -> None:
    windows = [opened(browser, page, seed=seed)[0] for seed in (7, 7, 8)]
    for window in windows:
        begin(window)
    first, again, other = map(order, windows)
    assert first == again
    assert first[0] != other[0]
    assert sorted(first[0]) == sorted(other[0])
    assert [sorted(sounds) for sounds in first[1]] != first[1]
    assert windows[2].locator("#shown-seed").inner_text() == "8"


def test_each_role_comes_at_each_place_about_equally_often(
    browser: Browser, page: Path, key: list[dict[str, Any]]
) -> None:
    window, _ = opened(browser, page)
    begin(window)
    shown = window.evaluate(
        "[...Array(50).keys()].flatMap((seed) => [...trials.values()].filter((t) => t.kind === 'rating')"
        ".map((t) => shuffled(t.sounds, `${seed}:${t.trial}`)))"
    )
    steered = {row["sound_id"] for row in key if row["role"] == "steered"}
    places = [next(place for place, sound in enumerate(sounds) if sound in steered) for sounds in shown]
    assert all(abs(places.count(place) / len(places) - 0.25) < 0.08 for place in range(4))


def test_nobody_gets_on_without_listening_and_judging(browser: Browser, page: Path) -> None:
    window, _ = opened(browser, page)
    begin(window)
    status = window.locator("#status")
    for _ in range(2):
        go_on(window)
        assert status.inner_text() == "Please listen to every sound first."
        assert window.evaluate("document.activeElement.className") == "play"
        rating = is_rating(window)
        listen(window)
        go_on(window)
        wanted = "Please move every slider." if rating else "Please choose one of the sounds."
        assert status.inner_text() == wanted
        judge(window, presses=1)
        go_on(window)


def test_a_closed_page_goes_on_where_it_was_until_the_answers_are_saved(browser: Browser, page: Path) -> None:
    window, _ = opened(browser, page)
    begin(window, "Ada")
    listen(window)
    judge(window, presses=3)
    go_on(window)
    before = window.evaluate("JSON.stringify(sitting)")
    window.goto(f"{page.as_uri()}?seed=99")
    assert window.locator("#progress").inner_text() == f"2 of {TRIALS}"
    assert window.evaluate("JSON.stringify(sitting)") == before
    for _ in range(TRIALS - 1):
        listen(window)
        judge(window, presses=1)
        go_on(window)
    assert window.evaluate("localStorage.length") == 1
    with window.expect_download() as download:
        window.locator("#save").click()
    assert json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["seed"] == 7
    assert window.evaluate("localStorage.length") == 0


def test_going_back_shows_what_was_answered(browser: Browser, page: Path) -> None:
    window, _ = opened(browser, page)
    begin(window)
    listen(window)
    judge(window, presses=4)
    rating = is_rating(window)
    go_on(window)
    window.locator("#back").click()
    if rating:
        values = [slider.input_value() for slider in window.locator("#sounds input[type=range]").all()]
        assert set(values) == {"54"}
    else:
        assert window.locator("#sounds input[type=radio]").first.is_checked()


@pytest.mark.parametrize("width", [900, 420, 360])
def test_every_screen_fits_and_everything_has_a_name(browser: Browser, page: Path, width: int) -> None:
    window, complaints = opened(browser, page, width=width)
    begin(window)
    kinds = set()
    for _ in range(TRIALS):
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        for control in window.locator("#sounds input").all():
            named = control.evaluate("(e) => e.getAttribute('aria-label') || e.closest('label')?.textContent")
            assert named.startswith("Sound ")
        heights = [button.bounding_box() for button in window.locator("#trial button").all()]
        assert all(box is None or box["height"] >= 44 for box in heights), "large enough for a finger"
        kinds.add(is_rating(window))
        window.evaluate("step(1)")
    assert kinds == {True, False}
    assert complaints == []
