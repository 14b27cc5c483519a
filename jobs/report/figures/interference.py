"""Figure: how fast every scored class changes with the strength of each direction."""

from collections.abc import Sequence

from analysis.charts.matrix import Sides, matrix, short
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, pair_of, word_for

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
    limit = max(abs(row["slope"] or 0.0) for rows in ways.values() for row in rows if row["concept"]) or 1.0
    panels = [_panel(way, rows, limit) for way, rows in list(ways.items())[:MOST_MAPS]]
    return Figure(
        anchor(sweep.sweep_id, "interference"),
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


def _panel(way: str, rows: Sequence[Row], limit: float) -> Panel:
    slopes = [row for row in rows if row["concept"] is not None]
    title = " · ".join(filter(None, [way, _index([row for row in rows if row["concept"] is None])]))
    return Panel(slope_matrix(slopes, f"Interference, {title}", limit), title)


def slope_matrix(rows: Sequence[Row], title: str, limit: float = 1.0) -> Chart:
    """What is steered by what is measured, in probability per unit of α."""
    cells = [
        {
            "row": pair_of(row),
            "column": f"{row['measured_concept']}: {row['measured_class']}",
            "value": row["slope"],
            "text": "" if row["slope"] is None else short(row["slope"]),
        }
        for row in rows
    ]
    return matrix(cells, title=title, sides=Sides("steered", "measured", "per unit of α", limit))


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


def _left_out(ways: int) -> str:
    return f"The {MOST_MAPS} of {ways} ways to steer that move most." if ways > MOST_MAPS else ""


FIGURE = SweepFigure(interference_figure)
