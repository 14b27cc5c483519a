"""Figures about one layer: what a probe confuses there, and how directions lie to each other."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.charts.heat_map import HeatMap, heat_map
from jobs.reporting.answers import Answers, Row, where
from jobs.reporting.page import Figure, Panel, anchor, matrix_table
from jobs.reporting.subjects import Place, Subject

MOST_DIRECTIONS = 40

CONFUSIONS = """\
SELECT actual, predicted, sum(clips)::BIGINT AS clips
FROM confusions {where}
GROUP BY ALL ORDER BY ALL"""

CHOSEN_PLACE = """\
SELECT site, reduction, layer, any_value(direction_method) AS method
FROM layers {where} AND directions > 0
GROUP BY site, reduction, layer
ORDER BY avg(score) DESC NULLS LAST, avg(separability) DESC NULLS LAST, layer, site, reduction
LIMIT 1"""

COSINES = """\
WITH chosen AS (
    SELECT concept || ': ' || positive || coalesce(' − ' || negative, '') AS name, vector, score
    FROM vectors {where}
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
    classes = sorted({row["actual"] for row in rows} | {row["predicted"] for row in rows})
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


def cosine_figure(answers: Answers, run_id: str, place: tuple[str, int] | None = None) -> Figure | None:
    """Cosines between the directions of all concepts at one layer."""
    if "vectors" not in answers.views:
        return None
    given: dict[str, str | int] = {} if place is None else {"site": place[0], "layer": place[1]}
    found = answers.rows(CHOSEN_PLACE.format(where=where(run_id=run_id, **given)))
    if not found or not found[0]["method"]:
        return None
    row = found[0]
    at = Place(row["site"], row["reduction"], row["layer"])
    condition = where(
        run_id=run_id, site=at.site, reduction=at.reduction, layer=at.layer, method=row["method"]
    )
    sql = COSINES.format(where=condition, most=MOST_DIRECTIONS)
    pairs = answers.rows(sql)
    return _cosines(run_id, at, row["method"], pairs, sql)


def _cosines(run_id: str, place: Place, method: str, pairs: Sequence[Row], sql: str) -> Figure:
    names = sorted({pair["name"] for pair in pairs})
    values = _matrix(pairs, names, "name", "other", "cosine", empty=math.nan)
    texts = [[f"{value:.2f}".replace("-", "−") for value in line] for line in values]
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


def _shown_counts(counts: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[str(count) if count else "" for count in line] for line in counts]
