"""Gather and name the rows of `effects` of one sweep for a report."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analysis.charts.parts import STRONG
from jobs.report.answers import Answers, Row, where

FEW_SOUNDS = 8
NOBODY = ""
"""Stands for the scorer of a sweep whose settings nobody could choose among."""

SWEEPS = """\
SELECT DISTINCT
    sweep, sweep_id, coalesce(chosen_by, max(chosen_by) OVER (PARTITION BY sweep_id), '') AS scorer,
    created_at
FROM effects {where} AND setting_id IS NOT NULL ORDER BY sweep, created_at DESC, sweep_id, scorer"""

PLANNED = "FROM sweep_generations {where} ORDER BY created_at DESC LIMIT 1"

UNCHOSEN = """\
SELECT source, target, count(DISTINCT setting_id) AS settings FROM effects {where} AND setting_id IS NOT NULL
GROUP BY ALL HAVING NOT bool_or(chosen) ORDER BY ALL"""

UNLIMITED = """\
WITH settings AS (SELECT DISTINCT setting_id, without_limit FROM effects {where} AND split = 'selection')
SELECT without_limit, count(*) AS settings, (SELECT count(*) FROM settings) AS of_all
FROM settings WHERE without_limit IS NOT NULL GROUP BY ALL ORDER BY ALL"""

DEAF = """\
FROM scorer_accuracy {where} AND (above_chance = false OR len(unknown) > 0) ORDER BY scorer, concept"""

MEASURED = """\
SELECT count(*) AS transfers FROM effects {where} AND metric = 'transfer' AND setting_id IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep, seen through the scorer that chose its settings."""

    name: str
    sweep_id: str
    scorer: str
    """`NOBODY` where none could."""
    counted_at: datetime | None = None
    """Where a newer sweep has its name: its file was another then."""

    @property
    def title(self) -> str:
        """Its name, and what tells it from newer ones of that name."""
        return (
            self.name if self.counted_at is None else f"{self.name}, as of {self.counted_at:%Y-%m-%d %H:%M}"
        )

    def where(self) -> str:
        """Its rows of `effects`, as SQL."""
        return where(sweep_id=self.sweep_id, scorer=self.scorer)


def sweeps_of(answers: Answers, run_id: str) -> list[Sweep]:
    """The sweeps that steered with directions of a run; of several of one name the newest first."""
    rows = answers.rows(SWEEPS.format(where=where(run_id=run_id)))
    newest = {row["sweep"]: row["sweep_id"] for row in reversed(rows)}
    return [
        Sweep(
            row["sweep"],
            row["sweep_id"],
            row["scorer"],
            None if newest[row["sweep"]] == row["sweep_id"] else row["created_at"],
        )
        for row in rows
    ]


def question_of(answers: Answers, sweep: Sweep) -> str:
    """What the file of a sweep asks; "" where it asks nothing."""
    if "sweep_generations" not in answers.views:
        return ""
    planned = answers.rows(PLANNED.format(where=where(sweep_id=sweep.sweep_id)))
    return planned[0].get("question") or "" if planned else ""


def warnings_of(answers: Answers, sweep: Sweep) -> tuple[str, ...]:
    """Why a sweep, or a pair of it, has no chosen setting, or one that no limit of damage was applied to."""
    if sweep.scorer == NOBODY:
        (found,) = answers.rows(MEASURED.format(where=where(sweep_id=sweep.sweep_id)))
        return (*_deaf(answers, sweep), f"No setting is chosen: {_why_nobody(found['transfers'])}")
    unchosen = tuple(
        f"{pair_of(row)}: no setting is chosen. Of {row['settings']} none moves towards the target on the "
        "selection split, farther than random directions do there, within the limits of damage."
        for row in answers.rows(UNCHOSEN.format(where=sweep.where()))
    )
    return (*_deaf(answers, sweep), *unchosen, *_unlimited(answers, sweep))


def _unlimited(answers: Answers, sweep: Sweep) -> tuple[str, ...]:
    """Settings that were chosen among although nobody knows how much they damage."""
    rows = answers.rows(UNLIMITED.format(where=sweep.where()))
    return tuple(
        f"Damage limit not applied to {row['settings']} of {row['of_all']} settings: {row['without_limit']}."
        for row in rows
    )


def _deaf(answers: Answers, sweep: Sweep) -> tuple[str, ...]:
    """What scorers of this sweep cannot tell apart."""
    if "scorer_accuracy" not in answers.views:
        return ()
    rows = answers.rows(DEAF.format(where=where(sweep_id=sweep.sweep_id)))
    return tuple(map(_deafness, rows))


def _deafness(row: Row) -> str:
    left_out = "What it says of that is left out: it is unknown, which is not “no change”."
    if row["unknown"]:
        words = ", ".join(row["unknown"])
        return f"{row['scorer']} does not know the words of {words} ({row['concept']}). {left_out}"
    return (
        f"{row['scorer']} cannot tell classes of {row['concept']} apart: it names the class of "
        f"{row['accuracy']:.2f} of {row['clips']} labelled clips ({row['low']:.2f} to "
        f"{row['high']:.2f}; always the same: {row['chance']:.2f}). {left_out}"
    )


def _why_nobody(transfers: int) -> str:
    if transfers:
        return (
            "the selection split of its prompts and random states has no scores of anyone who can tell its "
            "classes apart."
        )
    return (
        "nothing that tells classes has scored this sweep. Run it again with a scorer that does: "
        "undertone sweep --scorers clap, features, judge or probe."
    )


def by_pair(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by what is steered to what."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(pair_of(row), []).append(row)
    return found


def pair_of(row: Row) -> str:
    """The pair of classes of a row, for eyes."""
    return f"{row['source']} → {row['target']}"


def families_of(rows: Sequence[Row], columns: Sequence[str], *, at_least: int = 2) -> dict[str, list[Row]]:
    """Rows that agree in these columns, by what tells them from the others; those that reach most.

    Families with fewer rows are left out: they are no curve. As many are found as there are colours.
    """
    ordered = _ordered_families(rows, columns, at_least)
    return dict(ordered[: len(STRONG)])


def not_drawn(groups: Iterable[Sequence[Row]], columns: Sequence[str], *, at_least: int = 2) -> str:
    """A sentence where some of these groups have more families than there are colours, else ""."""
    most = max((len(_ordered_families(rows, columns, at_least)) for rows in groups), default=0)
    if most <= len(STRONG):
        return ""
    return f"Drawn of each pair: the {len(STRONG)} ways that reach most, of up to {most}; the table has all."


def _ordered_families(
    rows: Sequence[Row], columns: Sequence[str], at_least: int
) -> list[tuple[str, list[Row]]]:
    """Those that reach most first."""
    alike = Counter(_key(row, columns) for row in rows)
    curves = [row for row in rows if alike[_key(row, columns)] >= at_least]
    varying = [column for column in columns if len({str(row[column]) for row in curves}) > 1]
    found: dict[str, list[Row]] = {}
    for row in curves:
        words = [word_for(column, row[column]) for column in varying if row[column] != "constant"]
        found.setdefault(" ".join(words) or str(row["schedule" if varying else "method"]), []).append(row)
    return sorted(found.items(), key=lambda item: -max(number(row["transfer"]) for row in item[1]))


def _key(row: Row, columns: Sequence[str]) -> str:
    return str([row[column] for column in columns])


def word_for(column: str, value: Any) -> str:
    """A value that is understood without its column."""
    if column == "alpha":
        return "α auto" if value is None else f"α {value:.3g}"
    if column == "layers":
        return f"layer {value[0]}" if len(value) == 1 else f"layers {','.join(map(str, value))}"
    return str(value).removeprefix("constant ")  # of a schedule with a monitor, which alone is news


def over_what(rows: Sequence[Row]) -> str:
    """What the intervals of rows are over, or why there are none, as a sentence; "" where nobody knows."""
    prompts, states = (_span(rows, column) for column in ("prompts", "random_states"))
    if not prompts or not states:
        return ""
    return f"{_intervals(prompts, states)}{_few(rows)}"


def _few(rows: Sequence[Row]) -> str:
    most = max((row["prompts"] or 0) * (row["random_states"] or 0) for row in rows)
    return (
        f" With fewer than {FEW_SOUNDS} sounds of a setting this is a first look."
        if most < FEW_SOUNDS
        else ""
    )


def _intervals(prompts: str, states: str) -> str:
    if prompts == "1":
        return f"No intervals: {states} random states of one prompt say nothing of other prompts."
    if states == "1":
        return f"No intervals: {prompts} prompts at one random state say nothing of other random states."
    return f"Intervals are over {prompts} prompts × {states} random states."


def _span(rows: Sequence[Row], column: str) -> str:
    known = sorted({row[column] for row in rows if row[column]})
    return "–".join(str(one) for one in dict.fromkeys([*known[:1], *known[-1:]]))


def asked_level(rows: Sequence[Row]) -> dict[str, float]:
    """The level of the prompt that asks for the target in words, where it is known."""
    asked = rows[0]["prompt"] if rows else None
    return {} if asked is None else {"prompt": asked}


def number(value: float | None) -> float:
    """A value to draw; NaN where there is none."""
    return math.nan if value is None else value
