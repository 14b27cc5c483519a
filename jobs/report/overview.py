"""The first figure of a run: every concept at its best layer, beside handcrafted features."""

import math

from analysis.charts.dots import DotRow, dot_plot
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import RunFigure
from jobs.report.subjects import ReportedRun, best_layers

NAMES = {"accuracy": "accuracy", "r2": "R²"}
SCORE = ("score", "score_low", "score_high")
FLOOR = -0.5
"""R² below it is drawn there: how bad a bad fit is does not matter."""
COLUMNS = """concept, site, reduction, layer, loss, metric, score, score_low, score_high,
       control, control_low, control_high, selectivity, verdict, baseline,
       handcrafted, handcrafted_site, ari, nmi, separability"""


def overview_figure(answers: Answers, run: ReportedRun) -> Figure | None:
    """Score of each concept with its interval, control, baseline and handcrafted rival, where probes are."""
    place = run.place
    sql = best_layers(COLUMNS, run.run_id, place)
    answer = answers.ask(sql)
    scored = [row for row in answer.to_pylist() if row["score"] is not None]
    if not scored:
        return None
    name = anchor(run.run_id, "overview")
    where_found = "at the best layer of each" if place is None else f"at {place[0]} {place[1]}"
    panels = []
    for metric in sorted({row["metric"] for row in scored}):
        rows = [
            dot_row(f"{row['concept']} · {row['site']} {row['layer']}", row, *SCORE, rival="handcrafted")
            for row in scored
            if row["metric"] == metric
        ]
        title = f"{NAMES[metric].capitalize()} {where_found}, by concept"
        domain = (0.0, 1.0) if metric == "accuracy" else None
        panels.append(Panel(dot_plot(f"{name}-{metric}", title, rows, x_name=NAMES[metric], domain=domain)))
    return Figure(
        name,
        f"What can be read linearly, {where_found}",
        "Dot: score of the probe with its interval. Grey bar: interval of the same probe on shuffled labels. "
        "Tick: always the most frequent class. Diamond: best handcrafted features (mel, MFCC, chroma). "
        + ("" if place else "The layer was chosen on these very scores, which flatters it a little."),
        tuple(panels),
        data_table(answer),
        sql,
        open=True,
    )


def dot_row(
    name: str, row: Row, value: str, low: str, high: str, *, baseline: str = "baseline", rival: str = ""
) -> DotRow:
    """Columns of an answer as a row of a dot plot."""
    columns = (value, low, high, "control_low", "control_high", baseline, rival)
    return DotRow(name, *(max(_number(row[column] if column else None), FLOOR) for column in columns))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


OVERVIEW_FIGURE = RunFigure(overview_figure)
