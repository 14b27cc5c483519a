"""Figure: agreement of k-means with the labels over layers, with the spread over random starts."""

from collections.abc import Sequence

from analysis.charts.curves import Axes, Beside, Curves
from jobs.report.answers import Answers, Row, by_array
from jobs.report.figures.over_layers import FLOOR, array_panels, series_rows
from jobs.report.page import Figure, anchor, data_table
from jobs.report.protocol import ConceptFigure
from jobs.report.subjects import Subject

CLUSTERS = """\
SELECT DISTINCT {also}site, reduction, layer, k, scaling, starts, ari, ari_low, ari_high,
       nmi, nmi_low, nmi_high, silhouette
FROM layers {where} AND ari IS NOT NULL
ORDER BY ALL"""


def cluster_curves(answers: Answers, subject: Subject) -> Figure | None:
    """Agreement of k-means with the labels over layers, with the spread over random starts."""
    answer, sql = answers.about(CLUSTERS, subject.run_id, **subject.labels)
    panels = {place: agreement_curves(rows) for place, rows in by_array(answer.to_pylist()).items()}
    if not panels:
        return None
    return Figure(
        anchor(subject.run_id, subject.title, "clusters"),
        f"How well clusters agree with {subject.title}",
        "k-means never saw the labels. ARI: adjusted Rand index, 0 by chance; NMI: normalised mutual "
        "information. Lines: the start of lowest inertia; bands: from the lowest to the highest start.",
        array_panels(panels, subject),
        data_table(answer),
        sql,
    )


def agreement_curves(rows: Sequence[Row]) -> Curves:
    """ARI and NMI of one array as curves."""
    points = series_rows("ARI", rows, "ari", "ari_low", "ari_high")
    points += series_rows("NMI", rows, "nmi", "nmi_low", "nmi_high")
    axes = Axes(y="agreement", floor=FLOOR)
    return Curves(points, {"ARI": "first", "NMI": "second"}, axes, Beside(levels={"ARI by chance": 0.0}))


FIGURE = ConceptFigure(cluster_curves)
