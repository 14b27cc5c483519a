"""Curves over layers or strengths: values with intervals, controls, and levels to compare them with."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import altair as alt

from analysis.charts.parts import (
    CHART_HEIGHT,
    DIGITS,
    SOFT,
    STRONG,
    TEXT,
    Chart,
    Data,
    Ink,
    Row,
    by_series,
    course,
    dashes_by_series,
    inline,
    interval_said,
    layered,
    own_name,
    rows_of,
    said,
    shapes_by_series,
    tight_domain,
    zoomable,
)

TIGHT = 0.3
"""Where the values take less of the axis than this, the axis is theirs, and the rest is said in words."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What is measured, and over what."""

    x: str = "layer"
    y: str = "value"
    whole_x: bool = True
    """Whether x has whole numbers only: those in between that were not measured are gaps."""
    domain: Sequence[float] | None = None
    """Of y; by default that of all values."""
    floor: float = -math.inf
    """Values below do not widen the axis."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What the curves are compared with."""

    levels: Mapping[str, float] = field(default_factory=dict)
    """Dashed lines by name: what does not depend on x."""
    mark: float | None = None
    """An x to point out, such as the chosen layer."""


@dataclass(frozen=True, slots=True)
class Curves:
    """The data of one chart among several that are compared."""

    data: Data
    inks: Mapping[str, Ink]
    axes: Axes
    beside: Beside


def small_multiples(panels: Mapping[str, Curves], *, title: str) -> dict[str, Chart]:
    """A chart per panel, all on one axis of y.

    Args:
        panels: by their titles.
        title: what all of them show.
    """
    domain = common_domain(list(panels.values()))
    return {
        name: curves(
            one.data,
            title=f"{title}, {name}",
            inks=one.inks,
            axes=replace(one.axes, domain=domain),
            beside=one.beside,
        )
        for name, one in panels.items()
    }


def curves(
    data: Data,
    *,
    title: str,
    inks: Mapping[str, Ink] | None = None,
    axes: Axes | None = None,
    beside: Beside | None = None,
) -> Chart:
    """Draw a line per series with its intervals.

    Args:
        data: columns x and y; low and high of an interval, and series, where there are any.
        title: what it is, in a few words, for those who do not see it.
        inks: roles of the series in the order of the legend; by default hues in their order.
        axes: names and range of the axes.
        beside: levels and a chosen x.
    """
    axes, beside = axes or Axes(), beside or Beside()
    rows = [_WITHOUT_INTERVAL | row for row in rows_of(data)]
    names = list(dict.fromkeys(row["series"] for row in rows))
    given = inks or {name: STRONG[place % len(STRONG)] for place, name in enumerate(names)}
    shown = {name: ink for name, ink in given.items() if name in names}
    domain = axes.domain or common_domain([Curves(rows, shown, axes, beside)])
    lines = layered(*_named(_lines(_with_gaps(rows, axes), shown, axes, domain), title)).add_params(
        zoomable(title)
    )
    outside = _outside(rows, beside, shown, domain) if domain else ""
    return layered(*_levels(beside, domain), lines).properties(
        width="container",
        height=CHART_HEIGHT,
        description=" ".join([f"{title}.", *_courses(rows, axes), *_said_levels(beside)]),
        **({"title": alt.TitleParams(outside, **_SMALL)} if outside else {}),
    )


_WITHOUT_INTERVAL: Row = {"series": "", "low": None, "high": None}
_SMALL: dict[str, Any] = {
    "anchor": "start",
    "fontSize": 11,
    "fontWeight": "normal",
    "fontStyle": "italic",
    "color": SOFT,
}


def common_domain(panels: Sequence[Curves]) -> Sequence[float] | None:
    """The range of y that shows the differences in all panels; None where nothing is known.

    That of everything, unless what is measured would take only a small part of it: then of that alone.
    """
    floor = min((one.axes.floor for one in panels), default=-math.inf)
    rows = [(one, _WITHOUT_INTERVAL | row) for one in panels for row in rows_of(one.data)]
    levels = [value for one in panels for value in one.beside.levels.values()]
    everything = tight_domain([*_values(row for _, row in rows), *levels], floor=floor)
    measured = _values(row for one, row in rows if one.inks.get(row["series"]) != "control")
    own = tight_domain(measured, floor=floor)
    if own is None or everything is None or own[1] - own[0] > TIGHT * (everything[1] - everything[0]):
        return everything
    return own


def _outside(rows: Sequence[Row], beside: Beside, inks: Mapping[str, Ink], domain: Sequence[float]) -> str:
    """Controls and levels that the axis leaves out."""
    found = {name: [value, value] for name, value in beside.levels.items()}
    for name in (name for name, ink in inks.items() if ink == "control"):
        own = [row["y"] for row in rows if row["series"] == name and row["y"] is not None]
        found |= {name: [min(own), max(own)]} if own else {}
    words = [
        f"{name} {said(low)}" + (f" to {said(high)}" if high > low else "")
        for name, (low, high) in found.items()
        if high < domain[0] or low > domain[1]
    ]
    return f"Off the axis: {', '.join(words)}" if words else ""


def _values(rows: Iterable[Row]) -> Iterator[float | None]:
    for row in rows:
        yield from (row["y"], row["low"], row["high"])


def _with_gaps(rows: Sequence[Row], axes: Axes) -> list[Row]:
    """The rows, with an empty one for every whole x that a series lacks; intervals also as words."""
    found = [row | {"interval": interval_said(row["low"], row["high"])} for row in rows]
    if not axes.whole_x or not rows:
        return found
    places = [round(row["x"]) for row in rows]
    for name in dict.fromkeys(row["series"] for row in rows):
        own = {round(row["x"]) for row in rows if row["series"] == name}
        gaps = (x for x in range(min(places), max(places) + 1) if x not in own)
        found += [{"series": name, "x": x, "y": None, "low": None, "high": None} for x in gaps]
    return sorted(found, key=lambda row: (str(row["series"]), row["x"]))


def _lines(
    rows: list[Row], inks: Mapping[str, Ink], axes: Axes, domain: Sequence[float] | None
) -> Iterator[alt.Chart]:
    ticks = alt.Axis(tickMinStep=1, format="d", grid=False) if axes.whole_x else alt.Axis(grid=False)
    x = alt.X("x:Q", title=axes.x, axis=ticks, scale=alt.Scale(zero=False, nice=False, padding=12))
    scale = alt.Scale(domain=list(domain), zero=False, nice=False) if domain else alt.Scale(zero=False)
    y = alt.Y("y:Q", title=axes.y, scale=scale, axis=alt.Axis(tickCount=5))
    base = alt.Chart(inline(rows)).encode(x=x, color=by_series(inks))
    if any(row["low"] is not None for row in rows):
        ends = {"y": alt.Y("low:Q", title=axes.y, scale=scale), "y2": "high:Q"}
        yield base.mark_area(opacity=0.15, clip=True).encode(**ends)
        yield base.mark_rule(opacity=0.45, clip=True).encode(**ends)
    yield base.mark_line(strokeWidth=1.8, clip=True).encode(y=y, strokeDash=dashes_by_series(inks))
    said_of = [
        alt.Tooltip("series:N", title=" "),
        alt.Tooltip("x:Q", title=axes.x),
        alt.Tooltip("y:Q", title=axes.y, format=DIGITS),
        alt.Tooltip("interval:N", title="interval"),
    ]
    dots = base.mark_point(filled=True, size=50, opacity=1, clip=True)
    yield dots.encode(y=y, shape=shapes_by_series(inks), tooltip=said_of)


def _named(layers: Iterable[alt.Chart], title: str) -> Iterator[alt.Chart]:
    """The first, which carries the zoom, with a name of its own: else charts side by side share its paths."""
    for place, layer in enumerate(layers):
        yield layer if place else layer.properties(name=own_name("first", title))


def _levels(beside: Beside, domain: Sequence[float] | None) -> Iterator[alt.Chart]:
    if beside.mark is not None:
        rows = inline([{"x": beside.mark, "what": "chosen"}])
        line = alt.Chart(rows).mark_rule(strokeDash=[1, 3], color=TEXT)
        yield line.encode(x="x:Q", tooltip=[alt.Tooltip("x:Q", title="chosen")])
    shown = [
        {"level": name, "value": value}
        for name, value in beside.levels.items()
        if domain is None or domain[0] <= value <= domain[1]
    ]
    if shown:
        base = alt.Chart(inline(shown)).encode(y=alt.Y("value:Q"))
        tooltip = [alt.Tooltip("level:N", title=" "), alt.Tooltip("value:Q", format=DIGITS)]
        yield base.mark_rule(strokeDash=[5, 3], color=SOFT).encode(tooltip=tooltip)
        text = base.mark_text(align="right", baseline="bottom", dx=-2, dy=-2, fontSize=11, color=SOFT)
        yield text.encode(text="level:N", x=alt.value("width"))


def _courses(rows: Sequence[Row], axes: Axes) -> Iterator[str]:
    for name in dict.fromkeys(row["series"] for row in rows):
        own = [(row["x"], row["y"]) for row in rows if row["series"] == name and row["y"] is not None]
        if own:
            yield course(str(name) or axes.y, own, axes.x)


def _said_levels(beside: Beside) -> list[str]:
    return [f"{name} {said(value)} everywhere." for name, value in beside.levels.items()]
