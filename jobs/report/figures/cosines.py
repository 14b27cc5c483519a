"""Figure: cosines between the directions of all concepts at one layer."""

import math
from collections.abc import Sequence

from analysis.charts.matrix import Sides, matrix
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row, where
from jobs.report.page import Figure, Panel, anchor, matrix_table
from jobs.report.protocol import RunFigure
from jobs.report.subjects import Place, ReportedRun

MOST_DIRECTIONS = 40

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
    known = {(pair["name"], pair["other"]): pair["cosine"] for pair in pairs}
    title = f"Cosines between the {method} directions at {place}"
    width = pairs[0]["width"]
    return Figure(
        anchor(run_id, "cosines"),
        title,
        f"Blue: alike; orange: opposed. Two random directions of width {width} have |cosine| "
        f"{math.sqrt(2 / (math.pi * width)):.3f} on average. At most {MOST_DIRECTIONS} directions: "
        "those that tell their classes apart best.",
        (Panel(cosine_matrix(pairs, title)),),
        matrix_table("direction", names, names, [[known.get((a, b)) for b in names] for a in names]),
        sql,
        wide=True,
    )


def cosine_matrix(pairs: Sequence[Row], title: str) -> Chart:
    """Rows of name, other and cosine as a matrix."""
    cells = [{"row": pair["name"], "column": pair["other"], "value": pair["cosine"]} for pair in pairs]
    names = sorted({pair["name"] for pair in pairs})
    return matrix(cells, title=title, sides=Sides("direction", "direction", "cosine"), order=names)


FIGURE = RunFigure(cosine_figure)
