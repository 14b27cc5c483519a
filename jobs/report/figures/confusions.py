"""Figure: actual against predicted class at the chosen layer, on clips the probe was not fitted on."""

import re
from collections.abc import Sequence

from analysis.charts.matrix import Sides, matrix
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row, where
from jobs.report.page import Figure, Panel, anchor, matrix_table
from jobs.report.protocol import ConceptFigure
from jobs.report.subjects import Subject

CONFUSIONS = """\
SELECT actual, predicted, sum(clips)::BIGINT AS clips
FROM confusions {where}
GROUP BY ALL ORDER BY ALL"""


def confusion_figure(answers: Answers, subject: Subject) -> Figure | None:
    """Actual against predicted class at the chosen layer."""
    if "confusions" not in answers.views or subject.probe_id is None or subject.metric != "accuracy":
        return None
    sql = CONFUSIONS.format(where=where(probe_id=subject.probe_id))
    rows = answers.rows(sql)
    if not rows:
        return None
    title = f"What is taken for what: {subject.title} at {subject.place}"
    classes = classes_of(rows)
    counts = {(row["actual"], row["predicted"]): row["clips"] for row in rows}
    square = [[counts.get((one, other), 0) for other in classes] for one in classes]
    return Figure(
        anchor(subject.run_id, subject.title, "confusion"),
        title,
        "Clips, each predicted by a probe fitted without its group. Colour: share of the actual class.",
        (Panel(confusion_matrix(rows, title)),),
        matrix_table("actual ↓ predicted →", classes, classes, square),
        sql,
        wide=True,
    )


def confusion_matrix(rows: Sequence[Row], title: str) -> Chart:
    """Rows of actual, predicted and clips as a matrix of shares, with the clips in its cells."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["actual"]] = totals.get(row["actual"], 0) + row["clips"]
    cells = [
        {
            "row": row["actual"],
            "column": row["predicted"],
            "value": row["clips"] / totals[row["actual"]],
            "text": f"{row['clips']:,}",
        }
        for row in rows
    ]
    sides = Sides("actual", "predicted", "share of the class")
    return matrix(cells, title=title, sides=sides, order=classes_of(rows))


def classes_of(rows: Sequence[Row]) -> list[str]:
    """Every class of either side, "2" before "10" and "3/4" before "12/8"."""
    return sorted({row["actual"] for row in rows} | {row["predicted"] for row in rows}, key=_natural)


def _natural(text: str) -> list[tuple[bool, float, str]]:
    parts = re.findall(r"\d+|\D+", text)
    return [(part.isdecimal(), float(part) if part.isdecimal() else 0.0, part) for part in parts]


FIGURE = ConceptFigure(confusion_figure)
