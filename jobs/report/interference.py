"""Figure: how fast every scored class changes with the strength of each direction."""

import math
from collections.abc import Mapping, Sequence

from analysis.charts.heat_map import HeatMap, heat_map
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, number, pair_of, word_for

WAY = ("site", "layers", "method", "kind", "scaling", "schedule")
MOST_MAPS = 4

SLOPES = """\
SELECT site, layers, method, kind, scaling, schedule, alphas, concept, source, target, measured_concept,
       measured_class, slope, low, high, random, random_low, random_high
FROM cross_effects {where} AND (concept IS NULL OR measured_class IS NOT NULL)
ORDER BY ALL"""


def interference_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Steered pairs by measured classes, a map per way to steer, each with its index."""
    if "cross_effects" not in answers.views:
        return None
    sql = SLOPES.format(where=sweep.where())
    answer = answers.ask(sql)
    ways = _by_way(answer.to_pylist())
    if not ways:
        return None
    name = anchor(sweep.sweep_id, "interference")
    limit = max(abs(row["slope"] or 0.0) for rows in ways.values() for row in rows if row["concept"]) or 1.0
    panels = [_panel(name, way, rows, limit) for way, rows in list(ways.items())[:MOST_MAPS]]
    return Figure(
        name,
        "What else changes: probabilities per unit of α",
        "Rows: what is steered. Columns: what is measured. Blue: its probability rises; orange: it falls; "
        f"the strongest colour is {limit:.2f}. Index: change of the other steered concepts over that of the "
        "steered one, with its interval; around 0 is none. Signs are from one half of the prompts and sizes "
        "from the other, so that noise adds nothing. Random directions: what they change of the others, over "
        "what steering changes. "
        f"{_left_out(len(ways))}",
        tuple(panels),
        data_table(answer),
        sql,
        wide=True,
    )


def _by_way(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the way to steer, named by what tells it from the others; those that move most first."""
    varying = [column for column in WAY if len({str(row[column]) for row in rows}) > 1]
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(" · ".join(word_for(column, row[column]) for column in varying), []).append(row)
    moved = {
        way: sum(abs(row["slope"] or 0.0) for row in own if row["concept"]) for way, own in found.items()
    }
    return {way: found[way] for way in sorted(found, key=lambda way: -moved[way]) if moved[way]}


def _panel(name: str, way: str, rows: Sequence[Row], limit: float) -> Panel:
    slopes = [row for row in rows if row["concept"] is not None]
    title = " · ".join(filter(None, [way, _index([row for row in rows if row["concept"] is None])]))
    cells = {(_steered(row), _measured(row)): number(row["slope"]) for row in slopes}
    down, across = list(dict.fromkeys(map(_steered, slopes))), list(dict.fromkeys(map(_measured, slopes)))
    values = _matrix(cells, down, across)
    texts = [["" if math.isnan(value) else _short(value) for value in line] for line in values]
    chart = HeatMap(down, across, values, "steered", "measured", texts=texts, limit=limit)
    return Panel(heat_map(anchor(name, way or "chart"), f"Interference, {title}", chart), title)


def _matrix(
    cells: Mapping[tuple[str, str], float], down: Sequence[str], across: Sequence[str]
) -> list[list[float]]:
    return [[cells.get((one, other), math.nan) for other in across] for one in down]


def _index(rows: Sequence[Row]) -> str:
    """The index in words, beside that of random directions."""
    if not rows:
        return "no index: it needs two steered concepts"
    if rows[0]["slope"] is None:
        return "no index: what is steered is not moved, or a half of the prompts is missing"
    steered, random = (_with_interval(rows[0], *names) for names in _ESTIMATES)
    return f"interference index {steered}" + (f" (random directions {random})" if random else "")


_ESTIMATES = (("slope", "low", "high"), ("random", "random_low", "random_high"))


def _with_interval(row: Row, name: str, low: str, high: str) -> str:
    if row[name] is None:
        return ""
    bounds = "" if row[low] is None or row[high] is None else f" [{row[low]:.2f} to {row[high]:.2f}]"
    return f"{row[name]:.2f}{bounds}"


def _steered(row: Row) -> str:
    return pair_of(row)


def _measured(row: Row) -> str:
    return f"{row['measured_concept']}: {row['measured_class']}"


def _short(slope: float) -> str:
    return f"{slope:z.2f}".replace("-", "−").replace("0.", ".", 1)


def _left_out(ways: int) -> str:
    return f"The {MOST_MAPS} of {ways} ways to steer that move most." if ways > MOST_MAPS else ""


INTERFERENCE_FIGURE = SweepFigure(interference_figure)
