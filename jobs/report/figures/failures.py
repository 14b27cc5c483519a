"""Figure: how steering fails, by the signatures of every setting of a sweep."""

from collections.abc import Sequence

from analysis.charts.matrix import Sides, matrix
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, word_for

DEFINITIONS = {
    "not scored": "the scorer cannot tell classes of this concept apart: nothing is known",
    "no change": "no class rises more than with random directions",
    "drone": "the sounds stand still: their spectrum varies far less than that of their controls",
    "distortion": "more damage (KAD, clipping, silence, repetition or spectral flatness) than the prompt "
    "that asks for the target in words does",
    "wrong concept": "another class rises more than the target, their intervals apart",
    "source lost": "less like the unsteered twin than the sound of that prompt is, by every "
    "measure of similarity",
}
"""What each signature of the view `signatures` means, in words."""

SIGNATURES = """\
SELECT source, target, site, layers, method, alpha, kind, scaling, schedule, signatures, transfer,
       transfer_low, transfer_high, damaged, rival, rival_concept, rival_rise, rival_low
FROM signatures {where}
ORDER BY ALL"""

OF_SETTINGS = "SELECT setting_id, signatures FROM signatures {where}"


def failure_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """How many of the settings of each strength fail in which way."""
    sql = SIGNATURES.format(where=sweep.where())
    answer = answers.ask(sql)
    rows = [row for row in answer.to_pylist() if row["signatures"] is not None]
    if not rows:  # without intervals nobody knows
        return None
    title = "How steering fails: settings with each signature, by α"
    return Figure(
        anchor(sweep.sweep_id, "failures"),
        title,
        f"{_definitions()} A setting may have several, or none. Intervals are compared, so a small sweep "
        "flags little.",
        (Panel(signature_matrix(rows, title)),),
        data_table(answer),
        sql,
        wide=True,
    )


def flags_of_settings(answers: Answers, sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Names of what goes wrong with each setting."""
    rows = answers.rows(OF_SETTINGS.format(where=sweep.where()))
    return {row["setting_id"]: tuple(row["signatures"] or ()) for row in rows}


def signature_matrix(rows: Sequence[Row], title: str) -> Chart:
    """Strengths by signatures: the share of the strength's settings, and their number in words."""
    by_strength: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["alpha"] is None, row["alpha"])):
        by_strength.setdefault(word_for("alpha", row["alpha"]), []).append(row)
    cells = [
        {"row": strength, "column": name, "value": count / len(own), "text": f"{count}/{len(own)}"}
        for strength, own in by_strength.items()
        for name in DEFINITIONS
        for count in [sum(name in row["signatures"] for row in own)]
    ]
    return matrix(cells, title=title, sides=Sides("strength", "signature", "share of the settings"))


def _definitions() -> str:
    said = "; ".join(f"{name}: {meaning}" for name, meaning in DEFINITIONS.items())
    return f"{said[0].upper()}{said[1:]}."


FIGURE = SweepFigure(failure_figure)
