"""Figure: what people heard in a sweep, and whether CLAP agrees."""

from collections.abc import Mapping, Sequence

from analysis.charts.dots import dots
from analysis.rank_agreement import Agreement
from jobs.listen.agreement import LISTENERS, agreements, why_nobody_counts
from jobs.report.answers import Answers, Row, where
from jobs.report.page import Figure, Panel, anchor, data_table
from jobs.report.protocol import SweepFigure
from jobs.report.sweeps import Sweep

TITLE = "What people heard, and whether CLAP agrees"
NAMES = {"choice": "choice", "rating": "likeness"}
FULL_MARKS = 100
HEARD = """\
SELECT test_id, source, target, setting_id, listeners, chosen, chosen_random, chance, clap_transfer,
       likeness, likeness_random, likeness_reference, likeness_anchor, clap_similarity
FROM listening {where}
ORDER BY ALL"""
ROLES = {
    "likeness_reference": "hidden reference",
    "likeness": "steered",
    "likeness_random": "random direction",
    "likeness_anchor": "low-pass anchor",
}


def ratings_figure(answers: Answers, sweep: Sweep) -> Figure | None:
    """Rank correlation of people with CLAP, and how each kind of sound was rated."""
    if "ratings" not in answers.views:
        return None
    sql = HEARD.format(where=where(sweep_id=sweep.sweep_id))
    answer = answers.ask(sql)
    rows = answer.to_pylist()
    name = anchor(sweep.sweep_id, "ratings")
    if not rows:
        return _nobody(answers, name, sweep.sweep_id)
    return Figure(
        name,
        TITLE,
        "Left: Spearman’s rank correlation over settings of what people say with what CLAP says, of two "
        "kinds: how often the steered sound was chosen as most like the target, with CLAP’s transfer; how "
        "like the unsteered sound it was rated, with CLAP’s similarity. Interval: a bootstrap over listeners "
        "and settings. Undecided: it covers 0, random orders agree as well (permutation test), or there are "
        "fewer than 6 settings. Right: mean ratings. Who missed the hidden reference too often "
        "(ITU-R BS.1534-3) is left out.",
        (_agreement_panel(agreements(answers.rows, sweep.sweep_id)), _rating_panel(rows)),
        data_table(answer),
        sql,
    )


def _nobody(answers: Answers, name: str, sweep_id: str) -> Figure | None:
    """The listeners of a sweep where none of them counts."""
    sql = LISTENERS.format(sweep_id=sweep_id)
    answer = answers.ask(sql)
    if not answer.num_rows:
        return None
    return Figure(
        name, TITLE, why_nobody_counts(answers.rows, sweep_id), table=data_table(answer), sql=sql, open=True
    )


def _agreement_panel(agreed: Mapping[str, Agreement]) -> Panel:
    rows = [
        {"name": f"{NAMES[kind]}: {one.verdict}", "value": one.correlation, "low": one.low, "high": one.high}
        for kind, one in agreed.items()
    ]
    title = "People and CLAP"
    return Panel(dots(rows, title=title, x_name="rank correlation", domain=(-1, 1)), title)


def _rating_panel(rows: Sequence[Row]) -> Panel:
    drawn = [
        {"name": words, "value": _mean([row[column] for row in rows])} for column, words in ROLES.items()
    ]
    title = "How like the unsteered sound"
    return Panel(dots(drawn, title=title, x_name="mean rating", domain=(0, FULL_MARKS), digits=".1f"), title)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


FIGURE = SweepFigure(ratings_figure)
