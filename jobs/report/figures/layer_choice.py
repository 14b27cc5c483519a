"""Figure: which number of a layer foretells how well it steers."""

from collections.abc import Sequence

from analysis.charts.dots import dots
from analysis.charts.parts import Chart
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, word_for

MOST_PANELS = 8
PREDICTORS = {
    "probe_score": "probe score",
    "ari": "ARI",
    "nmi": "NMI",
    "silhouette": "silhouette",
    "direction_separability": "separability",
}
WAY = ("site", "method", "alpha", "kind", "scaling", "schedule", "rows")

CORRELATIONS = """\
SELECT site, method, alpha, kind, scaling, schedule, rows, predictor, concepts, pairs, correlation, low, high,
       verdict, agreement, regret, regret_low, regret_high
FROM layer_choice {where}
ORDER BY ALL"""


def choice_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Rank correlation of each number with the transfer, with its interval and verdict."""
    sql = CORRELATIONS.format(where=sweep.where())
    answer = answers.ask(sql)
    ways = _by_way(answer.to_pylist())
    if not ways:
        return None
    return Figure(
        anchor(sweep.sweep_id, "layer-choice"),
        "Which number names the layer to steer at?",
        "Spearman’s rank correlation, over the layers, of each number with the transfer; mean over concepts, "
        "with a 95 % interval over concepts where there are five: the pairs of a concept share its numbers. "
        "Undecided: the interval covers 0, or there is none. Regret (in the table, with an interval of the "
        "same kind): transfer lost, on the evaluation split of the prompts, by steering at the layer that "
        f"the number names and not at the best of the selection split.{_left_out(len(ways))}",
        tuple(Panel(predictors(rows, way), way) for way, rows in list(ways.items())[:MOST_PANELS]),
        data_table(answer),
        sql,
        open=True,
    )


def _by_way(rows: Sequence[Row]) -> dict[str, list[Row]]:
    varying = [column for column in WAY if len({row[column] for row in rows}) > 1]
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(" · ".join(word_for(column, row[column]) for column in varying), []).append(row)
    return found


def _left_out(ways: int) -> str:
    return f" Drawn: {MOST_PANELS} of {ways} ways to steer; the table has all." if ways > MOST_PANELS else ""


def predictors(rows: Sequence[Row], way: str = "") -> Chart:
    """Rank correlation of each number of a layer with the transfer, as dots with their verdicts."""
    known = {row["predictor"]: row for row in rows}
    drawn = [
        {
            "name": f"{words}: {known[predictor]['verdict']}",
            "value": known[predictor]["correlation"],
            "low": known[predictor]["low"],
            "high": known[predictor]["high"],
        }
        for predictor, words in PREDICTORS.items()
        if predictor in known
    ]
    title = " · ".join(filter(None, ["Rank correlation with transfer", way]))
    return dots(drawn, title=title, x_name="rank correlation", domain=(-1, 1))


FIGURE = SweepFigure(choice_figure)
