"""Figure: transfer of each pair's chosen setting, beside its controls."""

from collections.abc import Sequence

from analysis.charts.dots import dots
from analysis.charts.parts import Chart, Data, rows_of
from jobs.report.answers import Answers, Row
from jobs.report.figures.dot_rows import TRANSFER_MARKS, dot_row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, over_what, pair_of

CHOSEN = """\
SELECT source, target, site, layers, method, alpha, value AS transfer, low, high,
       random, random_low, random_high, "text", text_low, text_high, prompt, over_random, over_random_low,
       over_random_high, over_text, over_text_low, over_text_high, damage, damage_limit, drone,
       scorer_accuracy, prompts, random_states, missing
FROM effects {where} AND metric = 'transfer' AND split = 'evaluation' AND chosen
ORDER BY ALL"""


def chosen_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer of each pair's chosen setting, on the evaluation split of the prompts."""
    sql = CHOSEN.format(where=sweep.where())
    answer = answers.ask(sql)
    if not answer.num_rows:
        return None
    title = f"Transfer of the chosen settings, as {sweep.scorer} measures it"
    return Figure(
        anchor(sweep.sweep_id, "chosen"),
        title,
        "Dot: rise of the target's probability over the unsteered twin, with its interval; chosen on one "
        "half of the prompts, shown for the other. Grey: random directions of the same length. Diamond: "
        f"the prompt that asks for the target in words. {_text_alone(answer.to_pylist())}"
        f"{over_what(answer.to_pylist())}",
        (Panel(transfers(answer, title)),),
        data_table(answer),
        sql,
        open=True,
    )


def _text_alone(rows: Sequence[Row]) -> str:
    """How far directions of the text alone move, where a sweep has that control."""
    both = [(row["transfer"], row["text"]) for row in rows if row["text"] is not None]
    if not both:
        return ""
    steered, text = (sum(side) / len(side) for side in zip(*both, strict=True))
    return (
        f"Directions of the text alone, in which no audio has a say, move by {text:.2f} on average, these by "
        f"{steered:.2f}. "
    )


def transfers(data: Data, title: str) -> Chart:
    """Pairs as dots."""
    rows = [dot_row(pair_of(row), row, TRANSFER_MARKS) for row in rows_of(data)]
    return dots(rows, title=title, x_name="transfer")


FIGURE = SweepFigure(chosen_figure)
