"""Measure how people and CLAP agree about the settings of a sweep."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.rank_agreement import Agreement, rank_agreement

Rows = Sequence[Mapping[str, Any]]
Ask = Callable[[str], Rows]
"""From a SELECT to its rows."""

COMPARED = {
    "choice": ("transfer", "chosen as most like the target, with CLAP’s transfer"),
    "rating": ("similarity", "rated as like the unsteered, with CLAP’s similarity"),
}
"""Kind of trial → the metric of `effects` it should go with, and both in words."""

JUDGED = """\
SELECT listener, setting_id, kind, avg(value) AS value
FROM ratings JOIN listeners USING (test_id, listener)
WHERE kept AND role = 'steered' AND sweep_id = '{sweep_id}'
GROUP BY ALL ORDER BY ALL"""

LISTENERS = """\
SELECT listener, trials, missed, kept FROM listeners
WHERE test_id IN (SELECT test_id FROM ratings WHERE sweep_id = '{sweep_id}')
ORDER BY ALL"""

SCORED = """\
SELECT setting_id, metric, value FROM effects
WHERE sweep_id = '{sweep_id}' AND scorer = 'clap' AND split = 'all'
    AND metric IN ('transfer', 'similarity')"""


def agreements(ask: Ask, sweep_id: str) -> dict[str, Agreement]:
    """By kind of trial: rank correlation over settings of what people say with what CLAP says."""
    judged, scored = ask(JUDGED.format(sweep_id=sweep_id)), ask(SCORED.format(sweep_id=sweep_id))
    return {
        kind: _agreement(
            [row for row in judged if row["kind"] == kind],
            {row["setting_id"]: row["value"] for row in scored if row["metric"] == metric},
        )
        for kind, (metric, _) in COMPARED.items()
    }


def why_nobody_counts(ask: Ask, sweep_id: str) -> str:
    """Why no listener of a sweep is kept; "" where some are."""
    listeners = ask(LISTENERS.format(sweep_id=sweep_id))
    if any(one["kept"] for one in listeners):
        return ""
    return (
        f"Nobody is kept of {', '.join(one['listener'] for one in listeners)}: who rates the hidden "
        "reference, which is the unsteered sound itself, below 90 in more than 15 % of the trials is left "
        "out (ITU-R BS.1534-3)."
    )


def _agreement(rows: Rows, scores: Mapping[str, float | None]) -> Agreement:
    listeners = sorted({row["listener"] for row in rows})
    settings = sorted({row["setting_id"] for row in rows})
    ratings = np.full((len(listeners), len(settings)), np.nan)
    for row in rows:
        ratings[listeners.index(row["listener"]), settings.index(row["setting_id"])] = row["value"]
    known = [scores.get(setting) for setting in settings]
    return rank_agreement(ratings, np.array([np.nan if one is None else one for one in known]))
