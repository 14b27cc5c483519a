"""A trade-off: what is gained against what is kept over strength, and the front that nothing beats."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import altair as alt

from analysis.charts.parts import (
    DIGITS,
    SOFT,
    TEXT,
    Chart,
    Ink,
    by_series,
    inline,
    interval_said,
    layered,
    own_name,
    said,
    shapes_by_series,
    tight_domain,
    zoomable,
)
from analysis.pareto import Trade, pareto_front

TRADE_HEIGHT = 300


@dataclass(frozen=True, slots=True)
class TradePath:
    """Settings that differ in one number, in its order."""

    name: str
    trades: Sequence[Trade]
    ink: Ink = "first"


@dataclass(frozen=True, slots=True)
class _Plane:
    """The two axes."""

    x_name: str
    y_name: str
    x_domain: list[float] | None
    y_domain: list[float] | None

    def x(self, column: str = "x") -> alt.X:
        return alt.X(f"{column}:Q", title=self.x_name, scale=_scale(self.x_domain))

    def y(self, column: str = "y") -> alt.Y:
        return alt.Y(f"{column}:Q", title=self.y_name, scale=_scale(self.y_domain))


def _scale(domain: list[float] | None) -> alt.Scale:
    return alt.Scale(domain=domain, zero=False, nice=False) if domain else alt.Scale(zero=False)


def trade_off(paths: Sequence[TradePath], *, title: str, x_name: str, y_name: str) -> Chart:
    """Draw the paths, and the common Pareto front of those that are no controls."""
    every = [trade for one in paths for trade in one.trades]
    front = pareto_front([trade for one in paths if one.ink != "control" for trade in one.trades])
    rows = [_row(one, trade, place) for one in paths for place, trade in enumerate(one.trades)]
    x_domain = tight_domain(x for trade in every for x in (trade.x, *(trade.x_interval or ())))
    y_domain = tight_domain(y for trade in every for y in (trade.y, *(trade.y_interval or ())))
    plane = _Plane(x_name, y_name, x_domain, y_domain)
    inks = {one.name: one.ink for one in paths if one.trades}
    settings = layered(*_paths(rows, inks, plane, title)).add_params(zoomable(title))
    return layered(*_front(front, plane), settings, *_names(rows, inks, plane)).properties(
        width="container", height=TRADE_HEIGHT, description=f"{title}. {_described(front, x_name, y_name)}"
    )


def _row(path: TradePath, trade: Trade, place: int) -> dict[str, object]:
    x_low, x_high = trade.x_interval or (None, None)
    y_low, y_high = trade.y_interval or (None, None)
    return {
        "series": path.name, "setting": trade.name, "place": place, "x": trade.x, "y": trade.y,
        "x_low": x_low, "x_high": x_high, "y_low": y_low, "y_high": y_high,
        "x_interval": interval_said(x_low, x_high), "y_interval": interval_said(y_low, y_high),
        "last": place == len(path.trades) - 1,
    }  # fmt: skip


def _paths(
    rows: Sequence[Mapping[str, object]], inks: Mapping[str, Ink], plane: _Plane, title: str
) -> Iterator[alt.Chart]:
    base = alt.Chart(inline(rows)).encode(color=by_series(inks))
    x, y = plane.x(), plane.y()
    across = base.encode(x=plane.x("x_low"), x2="x_high:Q", y=y)
    along = base.encode(x=x, y=plane.y("y_low"), y2="y_high:Q")
    yield across.mark_rule(opacity=0.25, clip=True).properties(name=own_name("across", title))
    yield along.mark_rule(opacity=0.25, clip=True)
    yield base.mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, order="place:Q")
    tooltip = [
        alt.Tooltip("series:N", title=" "),
        alt.Tooltip("setting:N"),
        alt.Tooltip("x:Q", title=plane.x_name, format=DIGITS),
        alt.Tooltip("x_interval:N", title="interval"),
        alt.Tooltip("y:Q", title=plane.y_name, format=DIGITS),
        alt.Tooltip("y_interval:N", title=" interval"),
    ]
    dot = base.mark_point(filled=True, size=55, opacity=1, clip=True)
    yield dot.encode(x=x, y=y, shape=shapes_by_series(inks), tooltip=tooltip)


def _names(
    rows: Sequence[Mapping[str, object]], inks: Mapping[str, Ink], plane: _Plane
) -> Iterator[alt.Chart]:
    """The strongest setting of each path that is no control."""
    ends = alt.Chart(inline([row for row in rows if row["last"] and inks[str(row["series"])] != "control"]))
    name = ends.mark_text(align="left", dx=8, dy=-8, fontSize=11, color=TEXT, clip=True)
    yield name.encode(x=plane.x(), y=plane.y(), text="setting:N")


def _front(front: Sequence[Trade], plane: _Plane) -> Iterator[alt.Chart]:
    """Stairs: level to the left of the first setting, then down at each."""
    if not front or plane.x_domain is None or plane.y_domain is None:
        return
    corners = [(plane.x_domain[0], front[0].y)]
    for here, following in zip(front, [*front[1:], None], strict=True):
        corners += [(here.x, here.y), (here.x, following.y if following else plane.y_domain[0])]
    rows = inline({"x": across, "y": up, "place": place} for place, (across, up) in enumerate(corners))
    line = alt.Chart(rows).mark_line(strokeDash=[4, 3], strokeWidth=1, color=SOFT, clip=True)
    yield line.encode(x=plane.x(), y=plane.y(), order="place:Q")


def _described(front: Sequence[Trade], x_name: str, y_name: str) -> str:
    points = "; ".join(f"{one.name}: {x_name} {said(one.x)}, {y_name} {said(one.y)}" for one in front)
    return f"Settings that no other beats: {points}." if points else "No settings."
