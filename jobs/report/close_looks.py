"""Figures of best layers: every concept, a probe's confusion matrix, and cosines between directions."""

import math
import re
from collections.abc import Sequence
from typing import Any

from analysis.charts.dots import DotRow, dot_plot
from analysis.charts.heat_map import HeatMap, heat_map
from jobs.report.answers import Answers, Row, where
from jobs.report.page import Figure, Panel, anchor, data_table, matrix_table
from jobs.report.protocol import ConceptFigure, RunFigure
from jobs.report.subjects import Place, ReportedRun, Subject, best_layers

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


MOST_DIRECTIONS = 40

CONFUSIONS = """\
SELECT actual, predicted, sum(clips)::BIGINT AS clips
FROM confusions {where}
GROUP BY ALL ORDER BY ALL"""

CLASSES = """\
SELECT class, accuracy, accuracy_low, accuracy_high, macro_f1 AS f1, roc_auc, control_accuracy AS control,
       control_low, control_high, baseline_accuracy AS share
FROM probes {where} AND class IS NOT NULL
QUALIFY 1 = row_number() OVER (PARTITION BY class ORDER BY created_at DESC)
ORDER BY accuracy DESC, class"""

CHOSEN_PLACE = """\
SELECT site, reduction, layer, any_value(direction_method) AS method
FROM layers {where} AND directions > 0
GROUP BY site, reduction, layer
ORDER BY avg(score) DESC NULLS LAST, avg(separability) DESC NULLS LAST, layer, site, reduction
LIMIT 1"""

COSINES = """\
WITH chosen AS (
    SELECT concept || ': ' || positive || coalesce(' − ' || negative, '') AS name, vector, score
    FROM vectors {where} AND head IS NULL
    QUALIFY 1 = row_number() OVER (
        PARTITION BY concept, positive, negative ORDER BY created_at DESC, vector_id
    )
    ORDER BY score DESC NULLS LAST, name LIMIT {most}
)
SELECT a.name, b.name AS other, list_cosine_similarity(a.vector, b.vector)::DOUBLE AS cosine,
       len(a.vector)::BIGINT AS width
FROM chosen a, chosen b ORDER BY a.name, other"""


def confusion_figure(answers: Answers, subject: Subject) -> Figure | None:
    """Actual against predicted class at the chosen layer, on clips the probe was not fitted on."""
    if "confusions" not in answers.views or subject.probe_id is None or subject.metric != "accuracy":
        return None
    sql = CONFUSIONS.format(where=where(probe_id=subject.probe_id))
    rows = answers.rows(sql)
    if not rows:
        return None
    classes = sorted({row["actual"] for row in rows} | {row["predicted"] for row in rows}, key=_natural)
    counts = _matrix(rows, classes, "actual", "predicted", "clips", empty=0)
    title = f"What is taken for what: {subject.title} at {subject.place}"
    name = anchor(subject.run_id, subject.title, "confusion")
    shares = [[count / max(1, sum(line)) for count in line] for line in counts]
    chart = HeatMap(classes, classes, shares, "actual", "predicted", texts=_shown_counts(counts))
    return Figure(
        name,
        title,
        "Clips, each predicted by a probe fitted without its group. Colour: share of the actual class.",
        (Panel(heat_map(f"{name}-chart", title, chart)),),
        matrix_table("actual ↓ predicted →", classes, classes, counts),
        sql,
        wide=True,
    )


def class_figure(answers: Answers, subject: Subject) -> Figure | None:
    """Recall of every class at the chosen layer."""
    if subject.probe_id is None or subject.metric != "accuracy":
        return None
    sql = CLASSES.format(where=where(probe_id=subject.probe_id))
    answer = answers.ask(sql)
    if not answer.num_rows:
        return None
    title = f"Class by class: {subject.title} at {subject.place}"
    name = anchor(subject.run_id, subject.title, "classes")
    rows = [
        dot_row(row["class"], row, "accuracy", "accuracy_low", "accuracy_high", baseline="share")
        for row in answer.to_pylist()
    ]
    return Figure(
        name,
        title,
        "Dot: share of a class's held-out clips that the probe named, with its interval. Grey bar: the same "
        "on shuffled labels. Tick: the class's share of all clips.",
        (Panel(dot_plot(f"{name}-chart", title, rows, x_name="recall", domain=(0, 1))),),
        data_table(answer),
        sql,
    )


def cosine_figure(answers: Answers, run: ReportedRun) -> Figure | None:
    """Cosines between the directions of all concepts at one layer."""
    if "vectors" not in answers.views:
        return None
    given: dict[str, str | int] = {} if run.place is None else {"site": run.place[0], "layer": run.place[1]}
    found = answers.rows(CHOSEN_PLACE.format(where=where(run_id=run.run_id, **given)))
    if not found or not found[0]["method"]:
        return None
    row = found[0]
    at = Place(row["site"], row["reduction"], row["layer"])
    condition = where(
        run_id=run.run_id, site=at.site, reduction=at.reduction, layer=at.layer, method=row["method"]
    )
    sql = COSINES.format(where=condition, most=MOST_DIRECTIONS)
    pairs = answers.rows(sql)
    return _cosines(run.run_id, at, row["method"], pairs, sql)


def _cosines(run_id: str, place: Place, method: str, pairs: Sequence[Row], sql: str) -> Figure:
    names = sorted({pair["name"] for pair in pairs})
    values = _matrix(pairs, names, "name", "other", "cosine", empty=math.nan)
    texts = [[_short(value) for value in line] for line in values]
    title = f"Cosines between the {method} directions at {place}"
    width = pairs[0]["width"]
    name = anchor(run_id, "cosines")
    chart = HeatMap(names, names, values, "direction", "direction", texts=texts)
    return Figure(
        name,
        title,
        f"Blue: alike; orange: opposed. Two random directions of width {width} have |cosine| "
        f"{math.sqrt(2 / (math.pi * width)):.3f} on average. At most {MOST_DIRECTIONS} directions: "
        "those that tell their classes apart best.",
        (Panel(heat_map(f"{name}-chart", title, chart)),),
        matrix_table("direction", names, names, values),
        sql,
        wide=True,
    )


def _matrix(
    rows: Sequence[Row], names: Sequence[str], row_column: str, column: str, value: str, *, empty: Any
) -> list[list[Any]]:
    """Long rows as a square matrix."""
    cells = {(row[row_column], row[column]): row[value] for row in rows}
    return [[cells.get((one, other), empty) for other in names] for one in names]


def _natural(text: str) -> list[tuple[bool, float, str]]:
    """Sorts "2" before "10" and "3/4" before "12/8"."""
    parts = re.findall(r"\d+|\D+", text)
    return [(part.isdecimal(), float(part) if part.isdecimal() else 0.0, part) for part in parts]


def _short(cosine: float) -> str:
    """Two decimals in the room of a cell: ".48", "−.07", "1"."""
    text = f"{cosine:z.2f}".replace("-", "−")
    return {"1.00": "1", "−1.00": "−1"}.get(text, text.replace("0.", ".", 1))


def _shown_counts(counts: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[str(count) if count else "" for count in line] for line in counts]


COSINE_FIGURE = RunFigure(cosine_figure)
CONFUSION_FIGURE = ConceptFigure(confusion_figure)
CLASS_FIGURE = ConceptFigure(class_figure)
