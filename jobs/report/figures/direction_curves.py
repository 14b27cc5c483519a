"""Figure: separability of a concept's directions over layers, by method."""

from collections.abc import Mapping, Sequence

from analysis.charts.curves import Axes, Beside, Curves
from analysis.charts.parts import STRONG, Ink, known
from jobs.report.answers import Answers, Row, by_array
from jobs.report.figures.over_layers import array_panels, series_rows, something
from jobs.report.page import Figure, anchor, data_table
from jobs.report.protocol import ConceptFigure
from jobs.report.subjects import Subject

RANDOM = "random"

DIRECTIONS = """\
SELECT {also}site, reduction, method, layer, count(DISTINCT (positive, negative)) AS directions,
       avg(separability) AS separability, min(separability) AS lowest, max(separability) AS highest,
       avg(score) AS auc
FROM vectors {where} AND head IS NULL AND separability IS NOT NULL
GROUP BY ALL
ORDER BY ALL"""


def direction_curves(answers: Answers, subject: Subject) -> Figure | None:
    """Separability of the concept's directions over layers, by method."""
    if "vectors" not in answers.views:
        return None
    answer, sql = answers.about(DIRECTIONS, subject.run_id, **subject.labels)
    everything = answer.to_pylist()
    methods = _by_separability(everything)
    inks: dict[str, Ink] = dict(zip(methods, STRONG, strict=False)) | {RANDOM: "control"}
    panels = {place: separability_curves(rows, inks) for place, rows in by_array(everything).items()}
    if not panels:
        return None
    return Figure(
        anchor(subject.run_id, subject.title, "directions"),
        f"Separability of the directions of {subject.title}",
        "How many standard deviations lie between the mean projections of the two sides (d′), on clips held "
        "out of the fit; mean over the concept's directions. Grey: random directions."
        f"{_left_out(methods[len(STRONG) :])}",
        array_panels(panels, subject),
        data_table(answer),
        sql,
    )


def separability_curves(rows: Sequence[Row], inks: Mapping[str, Ink]) -> Curves:
    """Separabilities of one array as curves, a series per method that has a colour."""
    own = {
        method: series_rows(method, [row for row in rows if row["method"] == method], "separability")
        for method in inks
    }
    points = [point for series in own.values() if something(series) for point in series]
    return Curves(points, inks, Axes(y="d′"), Beside())


def _by_separability(rows: Sequence[Row]) -> list[str]:
    """Methods, that which tells classes apart best first; the difference of means before all others."""
    best = {
        method: max(known(row["separability"]) or 0.0 for row in rows if row["method"] == method)
        for method in sorted({row["method"] for row in rows} - {RANDOM})
    }
    return sorted(best, key=lambda method: (method != "diffmean", -best[method]))


def _left_out(methods: Sequence[str]) -> str:
    """Which methods are not drawn, and why, as a sentence."""
    if not methods:
        return ""
    return (
        f" Drawn: diffmean, and of the others those that reach most at any layer; only in the table: "
        f"{', '.join(methods)}."
    )


FIGURE = ConceptFigure(direction_curves)
