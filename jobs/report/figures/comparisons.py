"""Figure: each method, site and rule for α at its best setting."""

from collections.abc import Sequence

from analysis.charts.dots import dots
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row
from jobs.report.figures.dot_rows import TRANSFER_MARKS, dot_row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, by_pair, number, over_what

BEST = """\
WITH chosen AS (
    FROM effects {where} AND metric = 'transfer' AND split = 'selection'
    QUALIFY 1 = row_number() OVER (
        PARTITION BY source, target, method, site ORDER BY value DESC NULLS LAST, setting_id
    )
)
SELECT r.source, r.target, r.method, r.site, r.layers, r.alpha, r.kind, r.scaling, r.schedule,
       r.value AS transfer, r.low, r.high, r.random, r.random_low, r.random_high, r.prompt,
       r.prompts, r.random_states, r.missing, r.cosine_to_mean_difference, r.separability
FROM (FROM effects {where} AND metric = 'transfer' AND split = 'evaluation') r
SEMI JOIN chosen USING (setting_id)
ORDER BY ALL"""


def comparison_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Losses and sites side by side, for sweeps with more than one of them."""
    sql = BEST.format(where=sweep.where())
    answer = answers.ask(sql)
    rows = answer.to_pylist()
    if len({(row["method"], row["site"]) for row in rows}) < 2:
        return None
    return Figure(
        anchor(sweep.sweep_id, "compared"),
        f"{_compared(rows).capitalize()} compared, each at its best setting",
        "Dot: transfer with its interval, of the layer and α that were best on one half of the prompts, on "
        "the other half. Grey bar: random directions. Diamond: the prompt that asks for the target in words. "
        f"The table has each direction’s cosine to the mean difference. {over_what(rows)}",
        tuple(Panel(best_settings(own, pair, _varying(rows)), pair) for pair, own in by_pair(rows).items()),
        data_table(answer),
        sql,
    )


def _compared(rows: Sequence[Row]) -> str:
    names = {"method": "losses", "site": "sites"}
    return " and ".join(words for column, words in names.items() if len({row[column] for row in rows}) > 1)


def _varying(rows: Sequence[Row]) -> list[str]:
    return [column for column in ("method", "site") if len({row[column] for row in rows}) > 1]


def best_settings(rows: Sequence[Row], pair: str, varying: Sequence[str]) -> Chart:
    """Settings of one pair as dots, named by the columns in which they differ."""
    ordered = sorted(rows, key=lambda row: -number(row["transfer"]))
    shown = [dot_row(" · ".join(row[column] for column in varying), row, TRANSFER_MARKS) for row in ordered]
    return dots(shown, title=f"Transfer, {pair}", x_name="transfer")


FIGURE = SweepFigure(comparison_figure)
