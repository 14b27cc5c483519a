"""Figure: automatic strengths and self-monitors beside the best of the grid."""

from collections.abc import Iterator, Sequence

from analysis.charts.curves import Axes, Beside, Curves
from analysis.charts.parts import Ink, known
from jobs.report.answers import Answers, Row
from jobs.report.figures.over_layers import curve_panels, series_rows
from jobs.report.page import Figure, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep, asked_level, by_pair, number, over_what, word_for

FAMILY = ("site", "layers", "method", "kind", "scaling", "schedule")

STRENGTHS = """\
WITH transfers AS (
    SELECT * REPLACE (split_part(schedule, ' monitor:', 1) AS schedule),
           nullif(split_part(schedule, ' monitor:', 2), '') AS monitor
    FROM effects {where} AND metric = 'transfer' AND split = 'evaluation' AND setting_id IS NOT NULL
),
found AS (
    FROM transfers QUALIFY bool_or(alpha IS NULL OR monitor IS NOT NULL) OVER (
        PARTITION BY source, target, site, layers, method, kind, scaling, schedule
    )
),
kept AS (
    SELECT sweep_id, setting_id, value AS similarity
    FROM effects WHERE metric = 'similarity' AND scorer = 'clap' AND split = 'evaluation'
)
SELECT source, target, site, layers, method, kind, scaling, schedule,
       coalesce(alpha::VARCHAR, 'auto') AS alpha, mean_alpha, monitor, value AS transfer, low, high, random,
       prompt, similarity, prompts, random_states
FROM found LEFT JOIN kept USING (sweep_id, setting_id)
ORDER BY ALL"""

IDEAS = (
    "Auto: for each prompt and random state the strength at which the mean projection on the direction "
    "becomes that of the target’s own clips, μ₊ as stored with the direction (in-distribution target: closed "
    "form, no search). With cap_auto no more than moves the last layer as far as the target’s prompt alone "
    "would (distortion-matched cap). Monitor (monitors in a sweep, generate --monitor): the edit "
    "has the grid’s strength, and is off for each frame at which the projections so far make the target as "
    "probable as the threshold that is named. Auto stands at the mean of the strengths it found."
)


def automatic_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Transfer over α of every family that has an automatic strength or a monitor, and where those stand."""
    sql = STRENGTHS.format(where=sweep.where())
    answer = answers.ask(sql)
    rows = answer.to_pylist()
    if not rows:
        return None
    return Figure(
        anchor(sweep.sweep_id, "automatic"),
        "Automatic strength beside the grid",
        f"{IDEAS} {over_what(rows)}",
        curve_panels(dict(_charts(rows)), "Transfer by α"),
        data_table(answer),
        sql,
    )


def _charts(rows: Sequence[Row]) -> Iterator[tuple[str, Curves]]:
    varying = [column for column in FAMILY if len({str(row[column]) for row in rows}) > 1]
    for pair, own in by_pair(rows).items():
        families: dict[str, list[Row]] = {}
        for row in own:
            words = [word_for(column, row[column]) for column in varying]
            families.setdefault(" · ".join([pair, *words]), []).append(row)
        for title, family in families.items():
            yield title, strength_curves(family)


def strength_curves(rows: Sequence[Row]) -> Curves:
    """Transfer of one family over α: the grid, its automatic strength, and its monitors."""
    ordered = sorted(rows, key=lambda row: number(row["mean_alpha"]))
    grid = [row for row in ordered if row["alpha"] != "auto" and row["monitor"] is None]
    found = [row for row in ordered if row["alpha"] == "auto" and row["monitor"] is None]
    points = series_rows("grid", grid, "transfer", "low", "high", x="mean_alpha")
    points += series_rows("auto", found, "transfer", x="mean_alpha")
    inks: dict[str, Ink] = {"grid": "first", "auto": "second"}
    for name, ink, own in _monitored(ordered):
        inks[name] = ink
        points += series_rows(name, own, "transfer", x="mean_alpha")
    points += series_rows("random", grid, "random", x="mean_alpha")
    inks["random"] = "control"
    mark = known(found[0]["mean_alpha"]) if found else None
    levels = asked_level(rows)
    placed = [point for point in points if point["x"] is not None]
    return Curves(placed, inks, Axes("α", "transfer", whole_x=False), Beside(levels, mark))


def _monitored(rows: Sequence[Row]) -> Iterator[tuple[str, Ink, list[Row]]]:
    """Name, colour and rows of each self-monitor."""
    inks: Sequence[Ink] = ("third", "fourth")
    monitors = list(dict.fromkeys(row["monitor"] for row in rows if row["monitor"] is not None))
    for place, monitor in enumerate(sorted(monitors)):
        own = [row for row in rows if row["monitor"] == monitor]
        yield f"monitor {monitor}", inks[place % len(inks)], own


FIGURE = SweepFigure(automatic_figure)
