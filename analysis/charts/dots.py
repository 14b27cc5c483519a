"""A dot per row with its interval, and in the same row what it is compared with."""

from collections.abc import Iterator, Sequence

import altair as alt

from analysis.charts.parts import (
    DIGITS,
    INKS,
    LABEL_LIMIT,
    SOFT,
    Chart,
    Data,
    Row,
    inline,
    interval_said,
    layered,
    rows_of,
    said,
    tight_domain,
)

ROW_HEIGHT = 34
COLUMNS = ("value", "low", "high", "control", "control_low", "control_high", "baseline", "rival")


def dots(
    data: Data,
    *,
    title: str,
    x_name: str = "value",
    domain: Sequence[float] | None = None,
    digits: str = DIGITS,
) -> Chart:
    """Draw the rows in their order.

    Args:
        data: column name, and of `COLUMNS` those that there are: the value with low and high; a control
            with control_low and control_high (grey), a baseline (tick) and a rival (diamond).
        title: what it is, in a few words, for those who do not see it.
        x_name: what is measured.
        domain: of x; by default that of all values.
        digits: format of the numbers.
    """
    rows = [_whole(row) for row in rows_of(data)]
    shown = list(domain or ()) or tight_domain(row[column] for row in rows for column in COLUMNS)
    names = [row["name"] for row in rows]
    scale = alt.Scale(domain=shown, nice=domain is None, zero=False) if shown else alt.Scale(zero=False)
    y = alt.Y(
        "name:N", sort=names, title=None, axis=alt.Axis(labelLimit=LABEL_LIMIT, domain=False, ticks=False)
    )
    base = alt.Chart(inline(rows)).encode(y=y)
    layers = list(_marks(base, scale, x_name, digits))
    return layered(*layers).properties(
        width="container",
        height=ROW_HEIGHT * max(1, len(rows)),
        description=f"{title}. {_described(rows)}",
    )


def _whole(row: Row) -> Row:
    found = dict.fromkeys(COLUMNS) | row
    control = (found["control_low"], found["control_high"])
    return found | {
        "interval": interval_said(found["low"], found["high"]),
        "control_said": interval_said(*control) or said(found["control"]),
        "baseline_said": said(found["baseline"]),
        "rival_said": said(found["rival"]),
    }


def _marks(base: alt.Chart, scale: alt.Scale, x_name: str, digits: str) -> Iterator[alt.Chart]:
    """Back to front: control, baseline, rival, interval, value."""
    said_of = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("value:Q", title=x_name, format=digits),
        alt.Tooltip("interval:N"),
        alt.Tooltip("control_said:N", title="control"),
        alt.Tooltip("baseline_said:N", title="baseline"),
        alt.Tooltip("rival_said:N", title="rival"),
    ]

    def at(column: str) -> alt.X:
        return alt.X(f"{column}:Q", title=x_name, scale=scale, axis=alt.Axis(tickCount=5))

    control = base.mark_rule(size=10, color=INKS["control"], opacity=0.35, tooltip=False)
    yield control.encode(x=at("control_low"), x2="control_high:Q", tooltip=said_of)
    point = base.mark_point(filled=True, size=70, color=INKS["control"], opacity=0.6)
    yield point.encode(x=at("control"), tooltip=said_of)
    yield base.mark_tick(color=SOFT, thickness=2, size=16).encode(x=at("baseline"), tooltip=said_of)
    diamond = base.mark_point(shape="diamond", size=90, color=INKS["second"], strokeWidth=1.6, filled=False)
    yield diamond.encode(x=at("rival"), tooltip=said_of)
    yield base.mark_rule(size=2, color=INKS["first"]).encode(x=at("low"), x2="high:Q", tooltip=said_of)
    yield base.mark_point(filled=True, size=75, color=INKS["first"], opacity=1).encode(
        x=at("value"), tooltip=said_of
    )
    number = base.mark_text(dy=-11, fontSize=11, color=INKS["first"])
    yield number.encode(x=at("value"), text=alt.Text("value:Q", format=digits))


def _described(rows: Sequence[Row]) -> str:
    words = [
        f"{row['name']}: {said(row['value'])}" + (f" ({row['interval']})" if row["interval"] else "")
        for row in rows
        if row["value"] is not None
    ]
    return ". ".join(words) + "." if words else "No values."
