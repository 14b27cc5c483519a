"""Draw the trials of a listening test: which sounds of a sweep are compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any, Literal

from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.results.parts import digest_of
from store.results.sounds import ListeningSoundRow

Kind = Literal["rating", "choice"]
Role = Literal["reference", "anchor", "unsteered", "steered", "random"]
ID_DIGITS = 12
COMMON = ("template", "audio_prompt", "random_state")
"""What sounds have in common that may be compared: their prompt and their sampling noise."""

SWEEPS = """\
SELECT sweep_id, sweep, max(created_at) AS planned,
       arg_max({'plan': plan_id}, (scored, created_at)).plan AS plan_id
FROM (
    SELECT g.*, EXISTS (
        FROM effects e WHERE e.sweep_id = g.sweep_id AND e.plan_id IS NOT DISTINCT FROM g.plan_id
    ) AS scored
    FROM sweep_generations g
)
GROUP BY sweep_id, sweep ORDER BY planned DESC, sweep_id"""
SETTINGS = """\
SELECT setting_id, max(e.value) AS transfer
FROM sweep_generations g LEFT JOIN (
    FROM effects WHERE metric = 'transfer' AND split = 'all' AND scorer = chosen_by
) e USING (sweep_id, setting_id)
WHERE sweep_id = $sweep AND g.plan_id IS NOT DISTINCT FROM $plan AND setting_id IS NOT NULL
    AND g.split = 'evaluation'
GROUP BY ALL ORDER BY transfer NULLS FIRST, setting_id"""
SOUNDS = """\
SELECT DISTINCT sweep, sweep_id, setting_id, concept, source, target, template, audio_prompt, random_state,
       role, generation_id, unsteered_id
FROM sweep_generations g
WHERE sweep_id = $sweep AND g.plan_id IS NOT DISTINCT FROM $plan AND split = 'evaluation'
    AND role IN ('steered', 'random')
ORDER BY ALL"""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One sound of a trial."""

    sound_id: str
    """Says nothing of what it is."""
    role: Role
    generation_id: str
    """What it is made of; an anchor is the unsteered generation behind a low-pass filter."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Sounds that are compared on one screen: one setting, one prompt, one random state."""

    trial_id: str
    kind: Kind
    place: ListeningSoundRow
    """Tells where in the sweep it belongs, and nothing of its sounds."""
    stimuli: tuple[Stimulus, ...]
    reference: Stimulus | None
    """Of a rating: the sound that is named as what the others are compared with."""


@dataclass(frozen=True, slots=True)
class ListeningTest:
    """A whole test, the same for all listeners but for the order."""

    test_id: str
    sweep: str
    trials: tuple[Trial, ...]


def plan_test(store: Store, sweep: str, *, settings: int, conditions: int, seed: int) -> ListeningTest:
    """Choose settings evenly spaced by their transfer, and of each some prompts and random states.

    Only conditions of the evaluation split are compared. The same arguments give the same test.

    Args:
        store: where the sweep was run.
        sweep: its name (its newest run counts), or the beginning of its sweep_id.
        settings: at most so many.
        conditions: prompts and random states of each setting.
        seed: decides which.

    Raises:
        NotFound: no such sweep, or none of its sounds is there.
    """
    catalog = Catalog.of(store)
    run = _sweep(catalog, store.url, sweep)
    place = {"sweep": run["sweep_id"], "plan": run["plan_id"]}
    found = catalog.ask(SETTINGS, **place)["setting_id"].to_pylist()
    chosen = _evenly(found, settings)
    rows = catalog.rows(SOUNDS, **place)
    picked = [one for setting in chosen for one in _conditions(rows, setting, conditions, seed)]
    if not picked:
        raise NotFound(
            f"The sweep {sweep!r} has no sounds on the evaluation split of its prompts; "
            "give it more than one text, and run it again."
        )
    test_id = digest_of([seed, [[row["generation_id"] for row in one] for one in picked]])
    trials = [trial for one in picked for trial in _trials(test_id, one)]
    return ListeningTest(test_id, run["sweep"], tuple(sorted(trials, key=lambda trial: trial.trial_id)))


def _sweep(catalog: Catalog, url: str, named: str) -> dict[str, Any]:
    """Of the sweep the generations that its effects are of; the newest planned where it has none yet."""
    known = catalog.rows(SWEEPS) if catalog.has("sweep_generations") else []
    for row in known:
        if named == row["sweep"] or row["sweep_id"].startswith(named):
            return row
    names = ", ".join(sorted({row["sweep"] for row in known})) or "none"
    raise NotFound(
        f"{url} has no sweep {named!r}; it has {names}. Run one with: "
        f"undertone sweep {quote(url)} {quote(named)}"
    )


def _evenly(ordered: Sequence[str], count: int) -> list[str]:
    """So many of them, evenly spaced, the first and the last among them."""
    if count < 1:
        raise InvalidInput(f"A test needs at least one setting, not {count}.")
    if count >= len(ordered):
        return list(ordered)
    if count == 1:
        return [ordered[-1]]
    step = (len(ordered) - 1) / (count - 1)
    return [ordered[round(step * place)] for place in range(count)]


def _conditions(
    rows: Sequence[dict[str, Any]], setting_id: str, count: int, seed: int
) -> Iterator[list[dict[str, Any]]]:
    """The steered sound of each condition, and its random control if there is one."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["setting_id"] == setting_id:
            condition = digest_of([seed, setting_id, *(row[column] for column in COMMON)])
            found.setdefault(condition, []).append(row)
    whole = [sorted(found[one], key=lambda row: row["role"] != "steered") for one in sorted(found)]
    yield from [one for one in whole if one[0]["role"] == "steered"][:count]


def _trials(test_id: str, condition: Sequence[dict[str, Any]]) -> Iterator[Trial]:
    columns = ("sweep", "sweep_id", "setting_id", "concept", "source", "target", *COMMON)
    place = ListeningSoundRow(**{column: condition[0][column] for column in columns})
    twin = condition[0]["unsteered_id"]
    changed: list[tuple[Role, str]] = [(row["role"], row["generation_id"]) for row in condition]
    compared: dict[Kind, list[tuple[Role, str]]] = {
        "rating": [("reference", twin), ("anchor", twin), *changed],
        "choice": [("unsteered", twin), *changed],
    }
    for kind, sounds in compared.items():
        trial_id = _opaque(test_id, kind, *(one for sound in sounds for one in sound))
        stimuli = [Stimulus(_opaque(trial_id, role, one), role, one) for role, one in sounds]
        shown = Stimulus(_opaque(trial_id, "shown", twin), "reference", twin) if kind == "rating" else None
        yield Trial(trial_id, kind, place, tuple(sorted(stimuli, key=lambda one: one.sound_id)), shown)


def _opaque(*parts: str) -> str:
    """A name that nobody can read or guess who does not know the generations."""
    return digest_of(parts)[:ID_DIGITS]
