"""Figure: every concept at its best layer, beside its control, baseline and handcrafted rival."""

from collections.abc import Sequence

from analysis.charts.dots import dots
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row
from jobs.report.figures.dot_rows import dot_row
from jobs.report.figures.over_layers import METRIC_NAMES
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import RunFigure
from jobs.report.subjects import ReportedRun, best_layers

MARKS = {
    "value": "score",
    "low": "score_low",
    "high": "score_high",
    "control_low": "control_low",
    "control_high": "control_high",
    "baseline": "baseline",
    "rival": "handcrafted",
}
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
    where_found = "at the best layer of each" if place is None else f"at {place[0]} {place[1]}"
    metrics = sorted({row["metric"] for row in scored})
    return Figure(
        anchor(run.run_id, "overview"),
        f"What can be read linearly, {where_found}",
        "Dot: score of the probe with its interval. Grey bar: interval of the same probe on shuffled labels. "
        "Tick: always the most frequent class. Diamond: best handcrafted features (mel, MFCC, chroma). "
        + ("" if place else "The layer was chosen on these very scores, which flatters it a little."),
        tuple(Panel(overview([row for row in scored if row["metric"] == one], one)) for one in metrics),
        data_table(answer),
        sql,
        open=True,
    )


def overview(rows: Sequence[Row], metric: str) -> Chart:
    """Concepts of one metric as dots."""
    shown = [dot_row(f"{row['concept']} · {row['site']} {row['layer']}", row, MARKS) for row in rows]
    name = METRIC_NAMES[metric]
    return dots(shown, title=f"{name.capitalize()} by concept", x_name=name)


FIGURE = RunFigure(overview_figure)
