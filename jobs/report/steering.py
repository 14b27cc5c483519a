"""Figures about a sweep: the chosen settings beside their controls, effect over layers, and trade-offs."""

import math
from collections.abc import Iterator, Mapping, Sequence

from analysis.charts.dots import DotRow, dot_plot
from analysis.charts.lines import LineChart
from analysis.charts.scatter import TradePath, trade_off_chart
from analysis.charts.series import Ink, Level, Series
from analysis.pareto import Trade, area_below_front
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.small_multiples import small_multiples
from jobs.report.sweeps import (
    INKS,
    Sweep,
    by_pair,
    families_of,
    not_drawn,
    number,
    over_what,
    pair_of,
    word_for,
)

FAMILY = ("site", "layers", "method", "kind", "scaling", "schedule")
"""What two settings share that differ in α alone."""
OVER_LAYERS_FAMILY = ("site", "method", "kind", "scaling", "schedule", "alpha")
FEWEST_LAYERS = 3

CHOSEN = """\
SELECT source, target, site, layers, method, alpha, value AS transfer, low, high,
       random, random_low, random_high, "text", text_low, text_high, prompt, over_random, over_random_low,
       over_random_high, over_text, over_text_low, over_text_high, damage, damage_limit, drone,
       scorer_accuracy, prompts, random_states, missing
FROM effects {where} AND metric = 'transfer' AND split = 'evaluation' AND chosen
ORDER BY ALL"""

OVER_LAYERS = """\
SELECT source, target, site, method, kind, scaling, schedule, alpha, layer, value AS transfer, low, high,
       random, random_low, random_high, prompt, prompts, random_states
FROM effects {where} AND metric = 'transfer' AND split = 'all' AND layer IS NOT NULL
ORDER BY ALL"""

TRADES = """\
SELECT t.source, t.target, t.site, t.layers, t.method, t.kind, t.scaling, t.schedule, t.alpha,
       s.value AS similarity, s.low AS similarity_low, s.high AS similarity_high,
       t.value AS transfer, t.low AS transfer_low, t.high AS transfer_high,
       s.random AS random_similarity, t.random AS random_transfer, t.prompts, t.random_states
FROM (FROM effects {where} AND metric = 'transfer' AND split = 'all') t
JOIN (FROM effects WHERE metric = 'similarity' AND scorer = 'clap' AND split = 'all') s
    USING (sweep_id, setting_id)
ORDER BY ALL"""


def chosen_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer of each pair's chosen setting, on the evaluation split of the prompts."""
    sql = CHOSEN.format(where=sweep.where())
    answer = answers.ask(sql)
    if not answer.num_rows:
        return None
    name = anchor(sweep.sweep_id, "chosen")
    title = f"Transfer of the chosen settings, as {sweep.scorer} measures it"
    columns = ("transfer", "low", "high", "random_low", "random_high", "baseline", "prompt", "random")
    rows = [
        DotRow(pair_of(row), *(number(row.get(column)) for column in columns)) for row in answer.to_pylist()
    ]
    return Figure(
        name,
        title,
        "Dot: rise of the target's probability over the unsteered twin, with its interval; chosen on one "
        "half of the prompts, shown for the other. Grey: random directions of the same length. Diamond: "
        f"the prompt that asks for the target in words. {_text_alone(answer.to_pylist())}"
        f"{over_what(answer.to_pylist())}",
        (Panel(dot_plot(f"{name}-chart", title, rows, x_name="transfer")),),
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


def layer_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer over layers, for pairs that were steered at several single layers."""
    sql = OVER_LAYERS.format(where=sweep.where())
    answer = answers.ask(sql)
    pairs = by_pair(answer.to_pylist())
    charts = {pair: chart for pair, rows in pairs.items() if (chart := _layer_chart(rows)) is not None}
    if not charts:
        return None
    name = anchor(sweep.sweep_id, "layers")
    return Figure(
        name,
        "Where steering acts: transfer by layer",
        "Bands: intervals; grey: random directions of the same length. Dashed: the prompt that asks for the "
        f"target in words. {over_what(answer.to_pylist())} "
        f"{not_drawn(pairs.values(), OVER_LAYERS_FAMILY, at_least=FEWEST_LAYERS)}",
        small_multiples(name, "Transfer", charts),
        data_table(answer),
        sql,
    )


def trade_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer against similarity to the unsteered twin as α grows, and the settings nothing beats."""
    sql = TRADES.format(where=sweep.where())
    answer = answers.ask(sql)
    panels = []
    pairs = by_pair(answer.to_pylist())
    name = anchor(sweep.sweep_id, "trade-off")
    for pair, rows in pairs.items():
        paths = list(_trade_paths(rows))
        if paths:
            drawing = trade_off_chart(
                anchor(name, pair), f"Trade-off, {pair}", paths, x_name="similarity", y_name="transfer"
            )
            panels.append(Panel(drawing, f"{pair} · {_areas(rows)}"))
    if not panels:
        return None
    return Figure(
        name,
        "What steering costs: transfer against similarity as α grows",
        "Right: more like the unsteered twin, by the cosine of their CLAP embeddings. Up: more of the "
        "target. A line is a way to steer; its dots are its strengths α, named on the first line, and "
        "crosses their intervals. “auto”: where the strengths came to that were found for each prompt. "
        "Dashed: the front of the settings that nothing beats. Area: how much of the square from 0 to 1 "
        "lies below the front; 1 would be the target for sure with nothing else changed. Beside it that of "
        "the random directions of the same settings: the best of many is above 0 by chance, too. An area has "
        "no interval: those of its settings do not hold for the best of them. Grey: random directions. "
        f"{over_what(answer.to_pylist())} {not_drawn(_traded_pairs(pairs), FAMILY)}",
        tuple(panels),
        data_table(answer),
        sql,
    )


def _layer_chart(rows: Sequence[Row]) -> LineChart | None:
    families = families_of(rows, OVER_LAYERS_FAMILY, at_least=FEWEST_LAYERS)
    if not families:
        return None
    control = next(iter(families.values()))
    series = [_line("random", control, "random", "random_low", "random_high", "control")]
    series += [
        _line(name, own, "transfer", "low", "high", ink)
        for (name, own), ink in zip(families.items(), INKS, strict=False)
    ]
    asked = [Level("prompt", row["prompt"]) for row in rows[:1] if row["prompt"] is not None]
    return LineChart([one for one in series if one.segments()], "layer", "transfer", levels=asked)


def _line(name: str, rows: Sequence[Row], value: str, low: str, high: str, ink: Ink) -> Series:
    values, lows, highs = ([number(row[column]) for row in rows] for column in (value, low, high))
    whole = all(map(math.isfinite, (*lows, *highs)))
    layers = [row["layer"] for row in rows]
    return Series(name, layers, values, lows if whole else (), highs if whole else (), ink)


def _areas(rows: Sequence[Row]) -> str:
    """Of the fronts of the settings that are drawn and of their random directions, in words."""
    drawn = [row for own in families_of(_traded(rows), FAMILY).values() for row in own]
    controls = [
        Trade(row["random_similarity"], row["random_transfer"], "")
        for row in drawn
        if row["random_similarity"] is not None and row["random_transfer"] is not None
    ]
    random = f" (random directions {area_below_front(controls):.3f})" if controls else ""
    return f"area {area_below_front([_trade(row) for row in drawn]):.3f}{random}"


def _traded_pairs(pairs: Mapping[str, Sequence[Row]]) -> list[list[Row]]:
    return [_traded(rows) for rows in pairs.values()]


def _traded(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["similarity"] is not None and row["transfer"] is not None]


def _trade_paths(rows: Sequence[Row]) -> Iterator[TradePath]:
    """A path over α for each family, automatic strengths apart; last the random control of the first."""
    families = families_of(_traded(rows), FAMILY)
    for (name, own), ink in zip(families.items(), INKS, strict=False):
        yield TradePath(name, [_trade(row) for row in own if row["alpha"] is not None], ink)
        if automatic := [_trade(row) for row in own if row["alpha"] is None]:
            yield TradePath(f"auto {name}", automatic, ink)
    for own in list(families.values())[:1]:
        random = [
            Trade(row["random_similarity"], row["random_transfer"], word_for("alpha", row["alpha"]))
            for row in own
            if row["alpha"] is not None
            and row["random_similarity"] is not None
            and row["random_transfer"] is not None
        ]
        yield TradePath("random", random, "control")


def _trade(row: Row) -> Trade:
    return Trade(
        row["similarity"],
        row["transfer"],
        word_for("alpha", row["alpha"]),
        _interval(row, "similarity"),
        _interval(row, "transfer"),
    )


def _interval(row: Mapping[str, float | None], name: str) -> tuple[float, float] | None:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return None if low is None or high is None else (low, high)


CHOSEN_FIGURE = SweepFigure(chosen_figure)
LAYER_FIGURE = SweepFigure(layer_figure)
TRADE_FIGURE = SweepFigure(trade_figure)
