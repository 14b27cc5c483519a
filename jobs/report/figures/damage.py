"""Figure: damage of each pair's setting beside that of its controls."""

from collections.abc import Sequence

from analysis.charts.dots import dots
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, pair_of

DAMAGE = """\
SELECT source, target, site, layers, alpha, kind, scaling, schedule, transfer, low, high, random, "text",
       prompt, kad_clips, kad_clips_random, kad_clips_text, kad_clips_prompt, kad_clips_unsteered,
       damage_limit,
       variation, variation_random, variation_text, variation_prompt, variation_unsteered,
       flux, flux_random, flux_prompt, flux_unsteered,
       1000 * flatness AS flatness_1000, 1000 * flatness_random AS flatness_1000_random,
       1000 * flatness_prompt AS flatness_1000_prompt, 1000 * flatness_unsteered AS flatness_1000_unsteered,
       drone, chosen
FROM transfers {where} AND split = 'evaluation'
QUALIFY 1 = row_number() OVER (
    PARTITION BY source, target ORDER BY chosen DESC NULLS LAST, transfer DESC NULLS LAST, setting_id
)
ORDER BY ALL"""

MEASURES = {
    "kad_clips": "distance to recordings (KAD × 100)",
    "variation": "variation over time (dB): a drone has little",
    "flux": "spectral flux (dB)",
}
UNITS = {"kad_clips": "KAD × 100", "variation": "dB", "flux": "dB"}


def damage_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Damage of the chosen setting of each pair, or of the one that moves most where none is chosen."""
    sql = DAMAGE.format(where=sweep.where())
    answer = answers.ask(sql)
    rows = answer.to_pylist()
    measured = [name for name in MEASURES if any(row[name] is not None for row in rows)]
    if not measured:
        return None
    return Figure(
        anchor(sweep.sweep_id, "damage"),
        "What the transfer costs: damage, beside the controls",
        "Dot: sounds of the chosen setting of each pair, or of the one that moves most where none is chosen "
        "(†). Grey: random directions of the same length. Tick: the unsteered twins. Diamond: the "
        "prompt that asks for the target in words. A setting is chosen where it is no farther from "
        "recordings than the limit in the table and where its sounds still move; a drone is marked.",
        tuple(Panel(damages(rows, measure), MEASURES[measure]) for measure in measured),
        data_table(answer),
        sql,
    )


def damages(rows: Sequence[Row], measure: str) -> Chart:
    """One measure of damage of every pair as dots, beside that of its controls."""
    shown = [
        {
            "name": _title(row),
            "value": row[measure],
            "baseline": row[f"{measure}_unsteered"],
            "rival": row[f"{measure}_prompt"],
            "control": row[f"{measure}_random"],
        }
        for row in rows
        if row[measure] is not None
    ]
    return dots(shown, title=f"Damage: {MEASURES[measure]}", x_name=UNITS[measure], digits=".1f")


def _title(row: Row) -> str:
    return f"{'' if row['chosen'] else '† '}{pair_of(row)}{' (drone)' if row['drone'] else ''}"


FIGURE = SweepFigure(damage_figure)
