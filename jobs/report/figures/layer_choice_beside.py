"""Figure: transfer over layers, and beside it what probes and clusterings say of the same layers."""

import math
from collections.abc import Iterator, Sequence

from analysis.charts.curves import Axes, Beside, Curves
from analysis.charts.parts import Ink
from jobs.report.answers import Answers, Row
from jobs.report.figures.over_layers import curve_panels, series_rows, something
from jobs.report.page import Figure, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep

FEWEST_LAYERS = 3

BESIDE = """\
WITH steered AS (
    SELECT run_id, concept, site, layer, method, alpha, kind, scaling, schedule,
           avg(value) AS transfer, avg(random) AS random
    FROM effects {where} AND metric = 'transfer' AND split = 'all' AND layer IS NOT NULL
    GROUP BY ALL
),
strongest AS (
    FROM steered
    QUALIFY (method, alpha, kind, scaling, schedule) IS NOT DISTINCT FROM first_value(
        (method, alpha, kind, scaling, schedule)
    ) OVER (PARTITION BY concept, site ORDER BY transfer DESC NULLS LAST, layer)
)
SELECT concept, site, layer, method, alpha, transfer, random, max(score) AS probe_score, max(ari) AS ari,
       max(nmi) AS nmi
FROM strongest LEFT JOIN (FROM layers WHERE reduction = 'mean') USING (run_id, concept, site, layer)
GROUP BY ALL
ORDER BY ALL"""


def beside_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer over layers, and beside it what probes and clusterings say of the same layers."""
    sql = BESIDE.format(where=sweep.where())
    answer = answers.ask(sql)
    charts = dict(_beside_charts(answer.to_pylist()))
    if not charts:
        return None
    return Figure(
        anchor(sweep.sweep_id, "beside"),
        "Does what a layer knows tell how well it steers?",
        "Transfer: mean over the pairs of a concept, of the setting that reaches most; grey: random "
        "directions. Beside it, of the same layers: the best probe score, and the agreement of clusters with "
        "the labels (ARI, NMI).",
        tuple(panel for title, own in charts.items() for panel in curve_panels({title: own}, "By layer")),
        data_table(answer),
        sql,
    )


def _beside_charts(rows: Sequence[Row]) -> Iterator[tuple[str, Curves]]:
    """Two charts per concept and site: what steering does, and what the layers know."""
    for concept, site in dict.fromkeys((row["concept"], row["site"]) for row in rows):
        own = [row for row in rows if (row["concept"], row["site"]) == (concept, site)]
        effect, numbers = transfer_and_numbers(own)
        if len(own) < FEWEST_LAYERS or not numbers.data:
            continue
        place = f"{concept} at {site}"
        yield f"{place}: transfer", effect
        yield f"{place}: what its layers know", numbers


def transfer_and_numbers(rows: Sequence[Row]) -> tuple[Curves, Curves]:
    """What steering does at each layer, and what its probes and clusters say."""
    best = max(rows, key=lambda row: -math.inf if row["transfer"] is None else row["transfer"])["layer"]
    effect = _curves(
        rows, "transfer", best, {"transfer": ("transfer", "first"), "random": ("random", "control")}
    )
    numbers: dict[str, tuple[str, Ink]] = {
        "probe": ("probe_score", "first"), "ARI": ("ari", "second"), "NMI": ("nmi", "third"),
    }  # fmt: skip
    return effect, _curves(rows, "score", best, numbers)


def _curves(rows: Sequence[Row], y_name: str, best: int, named: dict[str, tuple[str, Ink]]) -> Curves:
    series = {name: series_rows(name, rows, column) for name, (column, _) in named.items()}
    points = [point for own in series.values() if something(own) for point in own]
    return Curves(points, {name: ink for name, (_, ink) in named.items()}, Axes(y=y_name), Beside(mark=best))


FIGURE = SweepFigure(beside_figure)
