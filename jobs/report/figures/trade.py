"""Figure: transfer against similarity to the unsteered twin as α grows, and the settings nothing beats."""

from collections.abc import Iterator, Mapping, Sequence

from analysis.charts.parts import HINT, STRONG
from analysis.charts.trade_off import TradePath, trade_off
from analysis.pareto import Trade, area_below_front
from jobs.report.answers import Answers, Row
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, by_pair, families_of, not_drawn, over_what, word_for

FAMILY = ("site", "layers", "method", "kind", "scaling", "schedule")
"""What two settings share that differ in α alone."""

TRADES = """\
SELECT t.source, t.target, t.site, t.layers, t.method, t.kind, t.scaling, t.schedule, t.alpha,
       s.value AS similarity, s.low AS similarity_low, s.high AS similarity_high,
       t.value AS transfer, t.low AS transfer_low, t.high AS transfer_high,
       s.random AS random_similarity, t.random AS random_transfer, t.prompts, t.random_states
FROM (FROM effects {where} AND metric = 'transfer' AND split = 'all') t
JOIN (FROM effects WHERE metric = 'similarity' AND scorer = 'clap' AND split = 'all') s
    USING (sweep_id, setting_id)
ORDER BY ALL"""


def trade_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer against similarity to the unsteered twin as α grows, and the settings nothing beats."""
    sql = TRADES.format(where=sweep.where())
    answer = answers.ask(sql)
    panels = []
    pairs = by_pair(answer.to_pylist())
    for pair, rows in pairs.items():
        paths = list(_trade_paths(rows))
        if paths:
            chart = trade_off(paths, title=f"Trade-off, {pair}", x_name="similarity", y_name="transfer")
            panels.append(Panel(chart, f"{pair} · {_areas(rows)}"))
    if not panels:
        return None
    return Figure(
        anchor(sweep.sweep_id, "trade-off"),
        "What steering costs: transfer against similarity as α grows",
        "Right: more like the unsteered twin, by the cosine of their CLAP embeddings. Up: more of the "
        "target. A line is a way to steer; its dots are its strengths α, the strongest named, and "
        "crosses their intervals. “auto”: where the strengths came to that were found for each prompt. "
        "Dashed: the front of the settings that nothing beats. Area: how much of the square from 0 to 1 "
        "lies below the front; 1 would be the target for sure with nothing else changed. Beside it that of "
        "the random directions of the same settings: the best of many is above 0 by chance, too. An area has "
        "no interval: those of its settings do not hold for the best of them. Grey: random directions. "
        f"{HINT} {over_what(answer.to_pylist())} {not_drawn(_traded_pairs(pairs), FAMILY)}",
        tuple(panels),
        data_table(answer),
        sql,
    )


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
    for (name, own), ink in zip(families.items(), STRONG, strict=False):
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


FIGURE = SweepFigure(trade_figure)
