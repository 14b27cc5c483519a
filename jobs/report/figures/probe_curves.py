"""Figure: probe scores over layers with their intervals, controls, and what needs no model."""

from collections.abc import Iterator, Mapping, Sequence

from analysis.charts.curves import Axes, Beside, Curves
from analysis.charts.parts import STRONG, Ink
from jobs.report.answers import Answers, Row, by_array
from jobs.report.figures.over_layers import FLOOR, METRIC_NAMES, array_panels, series_rows
from jobs.report.page import Figure, anchor, data_table
from jobs.report.protocol import ConceptFigure
from jobs.report.subjects import Subject

LOSS_NAMES = {"mse": "MSE probe", "logistic": "logistic probe", "logistic_ovr": "one vs rest"}
SHUFFLED = "shuffled"

PROBES = """\
SELECT {also}site, reduction, loss, layer, score, score_low, score_high, control, control_low, control_high,
       selectivity, within_control, baseline, handcrafted, handcrafted_site
FROM layers {where} AND score IS NOT NULL
ORDER BY ALL"""


def probe_curves(answers: Answers, subject: Subject) -> Figure | None:
    """Score over layers with its interval, its control, and what needs no model."""
    answer, sql = answers.about(PROBES, subject.run_id, **subject.labels)
    metric = METRIC_NAMES[subject.metric or "accuracy"]
    panels = {place: score_curves(rows, metric) for place, rows in by_array(answer.to_pylist()).items()}
    if not panels:
        return None
    return Figure(
        anchor(subject.run_id, subject.title, "probes"),
        f"Probe {metric} of {subject.title} by layer",
        "Bands: 95 % intervals over groups; grey: the same probe on shuffled labels. Dashed: "
        "always the most frequent class, and the best handcrafted features. Dotted: the chosen layer. Layers "
        "that were not measured are gaps.",
        array_panels(panels, subject),
        data_table(answer),
        sql,
    )


def score_curves(rows: Sequence[Row], metric: str) -> Curves:
    """Scores of one array as curves, a series per loss."""
    losses = sorted({row["loss"] for row in rows}, key=lambda loss: (loss != "mse", loss))[: len(STRONG)]
    of_loss = {loss: [row for row in rows if row["loss"] == loss] for loss in losses}
    points = series_rows(SHUFFLED, of_loss[losses[0]], "control", "control_low", "control_high")
    inks: dict[str, Ink] = {}
    for (loss, own), ink in zip(of_loss.items(), STRONG, strict=False):
        name = LOSS_NAMES.get(loss, loss)
        inks[name] = ink
        points += series_rows(name, own, "score", "score_low", "score_high")
    inks[SHUFFLED] = "control"
    return Curves(points, inks, Axes(y=metric, floor=FLOOR), Beside(levels=_levels(rows)))


def _levels(rows: Sequence[Row]) -> Mapping[str, float]:
    return dict(_known_levels(rows))


def _known_levels(rows: Sequence[Row]) -> Iterator[tuple[str, float]]:
    """What needs no layer: the most frequent class, and the best of the handcrafted features."""
    if (baseline := rows[0]["baseline"]) is not None:
        yield "majority", baseline
    known = [row for row in rows if row["handcrafted"] is not None]
    if known:
        best = max(known, key=lambda row: float(row["handcrafted"]))
        yield str(best["handcrafted_site"]), best["handcrafted"]


FIGURE = ConceptFigure(probe_curves)
