"""Whatever a page holds, its HTML is well-formed, escaped, and plays its own sounds only."""

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis.charts.curves import curves
from jobs.report.page import (
    Column,
    DataTable,
    Figure,
    Page,
    Panel,
    Section,
    SoundGroup,
    cell_text,
    embedded_sound,
)
from jobs.report.rendering import render
from store.errors import InvalidInput

Node = Any
HOSTILE = '"><script>alert(1)</script>&amp;<img src=x onerror=y>'


def tone(file_format: str) -> bytes:
    stream = io.BytesIO()
    samples = 0.1 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    soundfile.write(stream, samples, 16000, format=file_format)
    return stream.getvalue()


def page_with(*figures: Figure, title: str = "Report") -> Page:
    section = Section("run", title, title, figures, (title,))
    return Page(title, title, [(title, {title: title})], [section])


def test_text_from_labels_stays_text(parse_page: Callable[[str], Node]) -> None:
    table = DataTable((Column(HOSTILE, is_number=False),), ((HOSTILE,),))
    groups = (SoundGroup(HOSTILE, (embedded_sound(HOSTILE, b"", "a.wav", note=HOSTILE),), (HOSTILE,)),)
    chart = curves([{"x": 1, "y": 2.0, "series": HOSTILE}], title=HOSTILE)
    figure = Figure("figure", HOSTILE, HOSTILE, (Panel(chart, HOSTILE),), table, HOSTILE, groups)
    page = parse_page(render(page_with(figure, title=HOSTILE), generator=HOSTILE))
    assert list(page.all("img")) == []
    kinds = [script.attributes.get("type") for script in page.all("script")]
    assert kinds == ["application/json", None, None], "a chart's data, what draws it, and our own"
    (points,) = page.points()
    assert points[0]["series"] == HOSTILE
    assert [title.text for title in page.all("title")] == [HOSTILE]
    assert [cell.text for cell in page.all("td")] == [HOSTILE]


@pytest.mark.parametrize(
    ("ending", "kind"), [("flac", "audio/flac"), ("wav", "audio/wav"), ("mp3", "audio/mpeg")]
)
def test_a_sound_is_inside_the_page_byte_for_byte(
    parse_page: Callable[[str], Node], ending: str, kind: str
) -> None:
    data = tone(ending.upper())
    group = SoundGroup(
        "jazz to rock", (embedded_sound("steered", data, f"audio/abc.{ending}"),), ("distortion",)
    )
    page = parse_page(render(page_with(Figure("f", "Listen", "", sounds=(group,))), generator="test"))
    (audio,) = page.all("audio")
    head, _, content = audio.attributes["src"].partition(",")
    assert head == f"data:{kind};base64"
    assert base64.b64decode(content) == data
    assert audio.attributes["aria-label"] == "jazz to rock: steered"
    assert "controls" in audio.attributes
    assert [flag.text for flag in page.all("span", class_="flag")] == ["distortion"]


def test_a_format_that_not_every_browser_plays_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"a\.aiff .* only \.flac, \.wav, \.mp3 can"):
        embedded_sound("x", b"", "a.aiff")


def test_the_policy_lets_run_exactly_the_scripts_of_the_page(parse_page: Callable[[str], Node]) -> None:
    page = parse_page(render(page_with(Figure("f", "Look", "")), generator="test"))
    (script,) = page.all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"].endswith(f"script-src 'sha256-{digest}'")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-0.5, "−0.500"),
        (None, "–"),
        (float("nan"), "–"),
        (1234567, "1,234,567"),
        (True, "yes"),
    ],
)
def test_values_are_written_for_eyes(value: Any, text: str) -> None:
    assert cell_text(value) == text
