"""Figure: does a layer's probe accuracy or ARI tell how well it steers?"""

import math
from collections.abc import Iterator, Sequence

from analysis.charts.dots import DotRow, dot_plot
from analysis.charts.lines import LineChart
from analysis.charts.series import Ink, Series
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.small_multiples import small_multiples
from jobs.report.sweeps import Sweep, number, word_for

FEWEST_LAYERS = 3
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
    name = anchor(sweep.sweep_id, "beside")
    return Figure(
        name,
        "Does what a layer knows tell how well it steers?",
        "Transfer: mean over the pairs of a concept, of the setting that reaches most; grey: random "
        "directions. Beside it, of the same layers: the best probe score, and the agreement of clusters with "
        "the labels (ARI, NMI).",
        tuple(
            panel
            for (title, own) in charts.items()
            for panel in small_multiples(anchor(name, title), "By layer", own)
        ),
        data_table(answer),
        sql,
    )


def choice_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Rank correlation of each number with the transfer, with its interval and verdict."""
    sql = CORRELATIONS.format(where=sweep.where())
    answer = answers.ask(sql)
    ways = _by_way(answer.to_pylist())
    if not ways:
        return None
    name = anchor(sweep.sweep_id, "layer-choice")
    return Figure(
        name,
        "Which number names the layer to steer at?",
        "Spearman’s rank correlation, over the layers, of each number with the transfer; mean over concepts, "
        "with a 95 % interval over concepts where there are five: the pairs of a concept share its numbers. "
        "Undecided: the interval covers 0, or there is none. Regret (in the table, with an interval of the "
        "same kind): transfer lost, on the evaluation split of the prompts, by steering at the layer that "
        f"the number names and not at the best of the selection split.{_left_out(len(ways))}",
        tuple(_choice_panel(name, way, rows) for way, rows in list(ways.items())[:MOST_PANELS]),
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


def _choice_panel(name: str, way: str, rows: Sequence[Row]) -> Panel:
    known = {row["predictor"]: row for row in rows}
    drawn = [
        DotRow(
            f"{words}: {known[predictor]['verdict']}",
            *(number(known[predictor][column]) for column in ("correlation", "low", "high")),
        )
        for predictor, words in PREDICTORS.items()
        if predictor in known
    ]
    title = " · ".join(filter(None, ["Rank correlation with transfer", way]))
    svg = dot_plot(anchor(name, way or "chart"), title, drawn, x_name="rank correlation", domain=(-1, 1))
    return Panel(svg, way)


def _beside_charts(rows: Sequence[Row]) -> Iterator[tuple[str, dict[str, LineChart]]]:
    """Two charts per concept and site: what steering does, and what the layers know."""
    for concept, site in dict.fromkeys((row["concept"], row["site"]) for row in rows):
        own = [row for row in rows if (row["concept"], row["site"]) == (concept, site)]
        numbers = [_line("probe", own, "probe_score", "first")]
        numbers += [_line("ARI", own, "ari", "second"), _line("NMI", own, "nmi", "third")]
        known = [one for one in numbers if one.segments()]
        if len(own) < FEWEST_LAYERS or not known:
            continue
        effect = [_line("random", own, "random", "control"), _line("transfer", own, "transfer", "first")]
        place = f"{concept} at {site}"
        best = max(own, key=lambda row: -math.inf if row["transfer"] is None else row["transfer"])["layer"]
        yield f"{place} effect", {f"{place}: transfer": _chart(effect, "transfer", best)}
        yield f"{place} numbers", {f"{place}: what its layers know": _chart(known, "score", best)}


def _chart(series: Sequence[Series], y_name: str, best: int) -> LineChart:
    return LineChart([one for one in series if one.segments()], "layer", y_name, mark=best)


def _line(name: str, rows: Sequence[Row], column: str, ink: Ink) -> Series:
    return Series(name, [row["layer"] for row in rows], [number(row[column]) for row in rows], ink=ink)


BESIDE_FIGURE = SweepFigure(beside_figure)
CHOICE_FIGURE = SweepFigure(choice_figure)
