"""Figure: transfer over layers, for pairs that were steered at several single layers."""

from collections.abc import Sequence

from analysis.charts.curves import Axes, Beside, Curves
from analysis.charts.parts import STRONG, Ink
from jobs.report.answers import Answers, Row
from jobs.report.figures.over_layers import curve_panels, series_rows
from jobs.report.page import Figure, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, asked_level, by_pair, families_of, not_drawn, over_what

FAMILY = ("site", "method", "kind", "scaling", "schedule", "alpha")
"""What the settings of one curve share."""
FEWEST_LAYERS = 3

OVER_LAYERS = """\
SELECT source, target, site, method, kind, scaling, schedule, alpha, layer, value AS transfer, low, high,
       random, random_low, random_high, prompt, prompts, random_states
FROM effects {where} AND metric = 'transfer' AND split = 'all' AND layer IS NOT NULL
ORDER BY ALL"""


def layer_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer over layers, for pairs that were steered at several single layers."""
    sql = OVER_LAYERS.format(where=sweep.where())
    answer = answers.ask(sql)
    pairs = by_pair(answer.to_pylist())
    charts = {pair: chart for pair, rows in pairs.items() if (chart := transfer_curves(rows)) is not None}
    if not charts:
        return None
    return Figure(
        anchor(sweep.sweep_id, "layers"),
        "Where steering acts: transfer by layer",
        "Bands: intervals; grey: random directions of the same length. Dashed: the prompt that asks for the "
        f"target in words. {over_what(answer.to_pylist())} "
        f"{not_drawn(pairs.values(), FAMILY, at_least=FEWEST_LAYERS)}",
        curve_panels(charts, "Transfer"),
        data_table(answer),
        sql,
    )


def transfer_curves(rows: Sequence[Row]) -> Curves | None:
    """Transfer of one pair over layers, a series per way to steer; None where no way has enough layers."""
    families = families_of(rows, FAMILY, at_least=FEWEST_LAYERS)
    if not families:
        return None
    inks: dict[str, Ink] = dict(zip(families, STRONG, strict=False)) | {"random": "control"}
    points = [
        point for name, own in families.items() for point in series_rows(name, own, "transfer", "low", "high")
    ]
    control = next(iter(families.values()))
    points += series_rows("random", control, "random", "random_low", "random_high")
    levels = asked_level(rows)
    return Curves(points, inks, Axes(y="transfer"), Beside(levels))


FIGURE = SweepFigure(layer_figure)
