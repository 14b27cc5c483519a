"""Figures over layers: probe scores, agreement of clusters with labels, separability of directions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from analysis.charts.lines import LineChart
from analysis.charts.series import Ink, Level, Series
from jobs.report.answers import Answers, Row, by_array
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import ConceptFigure
from jobs.report.small_multiples import small_multiples
from jobs.report.subjects import Subject

LOSS_NAMES = {"mse": "MSE probe", "logistic": "logistic probe", "logistic_ovr": "one vs rest"}
METRIC_NAMES = {"accuracy": "accuracy", "r2": "R²"}
FLOOR = -0.25
"""R² of a control may be far below zero; the chart shows what lies above this."""
INKS: tuple[Ink, ...] = ("first", "second", "third", "fourth")
RANDOM = "random"

PROBES = """\
SELECT {also}site, reduction, loss, layer, score, score_low, score_high, control, control_low, control_high,
       selectivity, within_control, baseline, handcrafted, handcrafted_site
FROM layers {where} AND score IS NOT NULL
ORDER BY ALL"""

CLUSTERS = """\
SELECT DISTINCT {also}site, reduction, layer, k, scaling, starts, ari, ari_low, ari_high,
       nmi, nmi_low, nmi_high, silhouette
FROM layers {where} AND ari IS NOT NULL
ORDER BY ALL"""

DIRECTIONS = """\
SELECT {also}site, reduction, method, layer, count(DISTINCT (positive, negative)) AS directions,
       avg(separability) AS separability, min(separability) AS lowest, max(separability) AS highest,
       avg(score) AS auc
FROM vectors {where} AND head IS NULL AND separability IS NOT NULL
GROUP BY ALL
ORDER BY ALL"""


def probe_curves(answers: Answers, subject: Subject) -> Figure | None:
    """Score over layers with its interval, its control, and what needs no model."""
    answer, sql = answers.about(PROBES, subject.run_id, **subject.labels)
    charts = {place: _probe_chart(rows, subject) for place, rows in by_array(answer.to_pylist()).items()}
    if not charts:
        return None
    metric = METRIC_NAMES[subject.metric or "accuracy"]
    return Figure(
        anchor(subject.run_id, subject.title, "probes"),
        f"Probe {metric} of {subject.title} by layer",
        "Bands: 95 % intervals over groups; grey: the same probe on shuffled labels. Dashed: "
        "always the most frequent class, and the best handcrafted features. Dotted: the chosen layer.",
        _panels(charts, subject, "probes"),
        data_table(answer),
        sql,
    )


def cluster_curves(answers: Answers, subject: Subject) -> Figure | None:
    """Agreement of k-means with the labels over layers, with the spread over random starts."""
    answer, sql = answers.about(CLUSTERS, subject.run_id, **subject.labels)
    charts = {place: _cluster_chart(rows) for place, rows in by_array(answer.to_pylist()).items()}
    if not charts:
        return None
    return Figure(
        anchor(subject.run_id, subject.title, "clusters"),
        f"How well clusters agree with {subject.title}",
        "k-means never saw the labels. ARI: adjusted Rand index, 0 by chance; NMI: normalised mutual "
        "information. Lines: the start of lowest inertia; bands: from the lowest to the highest start.",
        _panels(charts, subject, "clusters"),
        data_table(answer),
        sql,
    )


def direction_curves(answers: Answers, subject: Subject) -> Figure | None:
    """Separability of the concept's directions over layers, by method."""
    if "vectors" not in answers.views:
        return None
    answer, sql = answers.about(DIRECTIONS, subject.run_id, **subject.labels)
    everything = answer.to_pylist()
    methods = _by_separability(everything)
    inks: dict[str, Ink] = {RANDOM: "control", **dict(zip(methods, INKS, strict=False))}
    charts = {place: _direction_chart(rows, inks) for place, rows in by_array(everything).items()}
    if not charts:
        return None
    return Figure(
        anchor(subject.run_id, subject.title, "directions"),
        f"Separability of the directions of {subject.title}",
        "How many standard deviations lie between the mean projections of the two sides (d′), on clips held "
        "out of the fit; mean over the concept's directions. Grey: random directions."
        f"{_left_out(methods[len(INKS) :])}",
        _panels(charts, subject, "directions"),
        data_table(answer),
        sql,
    )


def _panels(charts: Mapping[tuple[str, str], LineChart], subject: Subject, kind: str) -> tuple[Panel, ...]:
    """A panel per array; in the one with the chosen layer that layer is marked."""
    reductions = {reduction for _, reduction in charts}
    named = {}
    for (site, reduction), chart in charts.items():
        chosen = (site, reduction) == (subject.place.site, subject.place.reduction)
        panel = site if len(reductions) == 1 else f"{site} · {reduction}"
        named[panel] = replace(chart, mark=subject.place.layer) if chosen else chart
    name = anchor(subject.run_id, subject.title, kind)
    return small_multiples(name, f"{subject.title} by layer", named, floor=FLOOR)


def _probe_chart(rows: Sequence[Row], subject: Subject) -> LineChart:
    losses = sorted({row["loss"] for row in rows}, key=lambda loss: (loss != "mse", loss))
    series = [_control([row for row in rows if row["loss"] == losses[0]])]
    for loss, ink in zip(losses, INKS, strict=False):
        own = [row for row in rows if row["loss"] == loss]
        series.append(_series(LOSS_NAMES.get(loss, loss), own, "score", "score_low", "score_high", ink))
    metric = METRIC_NAMES[subject.metric or "accuracy"]
    return LineChart([one for one in series if one.segments()], "layer", metric, levels=list(_levels(rows)))


def _control(rows: Sequence[Row]) -> Series:
    return _series("shuffled", rows, "control", "control_low", "control_high", "control")


def _levels(rows: Sequence[Row]) -> Iterator[Level]:
    """What needs no layer: the most frequent class, and the best of the handcrafted features."""
    if (baseline := rows[0]["baseline"]) is not None:
        yield Level("majority", baseline)
    best = max((row for row in rows if row["handcrafted"] is not None), key=_handcrafted, default=None)
    if best is not None:
        yield Level(str(best["handcrafted_site"]), best["handcrafted"])


def _handcrafted(row: Row) -> float:
    return float(row["handcrafted"])


def _cluster_chart(rows: Sequence[Row]) -> LineChart:
    series = [
        _series("NMI", rows, "nmi", "nmi_low", "nmi_high", "second"),
        _series("ARI", rows, "ari", "ari_low", "ari_high", "first"),
    ]
    return LineChart(series, "layer", "agreement", levels=[Level("ARI by chance", 0.0)])


def _by_separability(rows: Sequence[Row]) -> list[str]:
    """Methods, that which tells classes apart best first; the difference of means before all others."""
    best = {
        method: max(_number(row["separability"]) for row in rows if row["method"] == method)
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


def _direction_chart(rows: Sequence[Row], inks: Mapping[str, Ink]) -> LineChart:
    series = [
        _series(method, [row for row in rows if row["method"] == method], "separability", ink=ink)
        for method, ink in inks.items()
    ]
    return LineChart([one for one in series if one.segments()], "layer", "d′", levels=[])


def _series(
    name: str, rows: Sequence[Row], value: str, low: str = "", high: str = "", ink: Ink = "first"
) -> Series:
    """Columns of rows as a line; the interval is left out where any of it is missing."""
    values, lows, highs = (
        [_number(row[column]) for row in rows] if column else [] for column in (value, low, high)
    )
    whole = all(map(math.isfinite, (*lows, *highs)))
    return Series(
        name, [row["layer"] for row in rows], values, lows if whole else (), highs if whole else (), ink
    )


def _number(value: float | None) -> float:
    return math.nan if value is None or math.isinf(value) else value


PROBE_FIGURE = ConceptFigure(probe_curves)
CLUSTER_FIGURE = ConceptFigure(cluster_curves)
DIRECTION_FIGURE = ConceptFigure(direction_curves)
