"""Whether a scorer can hear a concept: how often it names the class of labelled recordings of the run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.group_intervals import interval_of, share_belief
from jobs.evaluation.records import EVALUATIONS
from jobs.sweeping.newest import write_newest
from jobs.sweeping.planning import SweepPlan
from jobs.sweeping.stored import has_view
from store.catalog import refresh_catalog
from store.opening import Store
from store.query import run_query
from store.results.schemas import TABLES

KIND = "scorer_accuracy"
FEWEST_CLIPS = 2

SCHEMA = TABLES[KIND].schema()


@dataclass(frozen=True, slots=True)
class ScorerAccuracy:
    """What a scorer makes of labelled recordings of one concept."""

    scorer: str
    scorer_version: str
    concept: str
    clips: int = 0
    groups: int = 0
    classes: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    unknown: tuple[str, ...] = ()

    @property
    def hears(self) -> bool | None:
        """Whether it does better than saying always the same; None where nobody knows."""
        return None if self.low is None or self.chance is None else self.low > self.chance

    def deaf_to(self, name: str) -> bool:
        """Whether what it says of a class means nothing."""
        return self.hears is False or name in self.unknown


def accuracy_of(
    scorer: str,
    version: str,
    concept: str,
    hits: NDArray[np.bool_],
    *,
    labels: Sequence[Any] | NDArray[Any],
    groups: Sequence[Any] | NDArray[Any],
    unknown: Sequence[str] = (),
) -> ScorerAccuracy:
    """Of a scorer that named the class of some clips (n,) rightly or not.

    Args:
        scorer: its name.
        version: which one.
        concept: what it was asked.
        hits: whether it named the class of each clip.
        labels: of each clip.
        groups: of each clip.
        unknown: classes whose words it does not know.
    """
    counts = np.unique(np.asarray(labels, str), return_counts=True)[1]
    known = {"clips": len(hits), "groups": len(np.unique(np.asarray(groups, str))), "classes": len(counts)}
    if len(hits) < FEWEST_CLIPS or len(counts) < 2:
        return ScorerAccuracy(scorer, version, concept, **known, unknown=tuple(unknown))
    counted = np.stack([hits, np.ones(len(hits))], axis=1)[..., np.newaxis]
    (low,), (high,) = interval_of([share_belief(np.asarray(groups, str), counted)])
    chance = float(counts.max() / counts.sum())
    return ScorerAccuracy(
        scorer, version, concept, **known, accuracy=float(hits.mean()), low=float(low), high=float(high),
        chance=chance, unknown=tuple(unknown),
    )  # fmt: skip


def heard_accuracies(
    store: Store,
    plan: SweepPlan,
    scorer: str,
    version: str,
    *,
    prompt_sets: Mapping[str, str] | None = None,
    unknown: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[ScorerAccuracy]:
    """Of a scorer whose verdicts on the plan's reference clips are stored, each concept that it knows.

    Args:
        store: where they are.
        plan: whose reference clips count.
        scorer: "clap" or "judge".
        version: which one.
        prompt_sets: by concept, the digest of the texts that CLAP was asked with.
        unknown: by concept, classes whose words CLAP does not know.
    """
    for concept, groups in plan.reference.items():
        said = _verdicts(store, groups, scorer, version, concept, (prompt_sets or {}).get(concept))
        words = (unknown or {}).get(concept, ())
        if not said:
            if words:
                yield ScorerAccuracy(scorer, version, concept, unknown=tuple(words))
            continue
        clips = sorted(said)
        labels = [plan.reference_labels[concept][clip] for clip in clips]
        if not set(labels) & set(said.values()):
            continue  # its classes of this name are others
        hits = np.array([said[clip] == label for clip, label in zip(clips, labels, strict=True)])
        yield accuracy_of(
            scorer,
            version,
            concept,
            hits,
            labels=labels,
            groups=[groups[clip] for clip in clips],
            unknown=words,
        )


def _verdicts(
    store: Store,
    clips: Mapping[str, str],
    scorer: str,
    version: str,
    concept: str,
    prompt_set: str | None,
) -> dict[str, str]:
    """The class that is most probable to a scorer, by clip."""
    if not has_view(store, EVALUATIONS):
        return {}
    texts = "prompt_set IS NULL" if prompt_set is None else f"prompt_set = '{prompt_set}'"
    query = f"""
        SELECT item_id, arg_max(class, value) AS class
        FROM {EVALUATIONS} e JOIN wanted w USING (item_id, concept)
        WHERE scorer = '{scorer}' AND scorer_version = '{version}' AND measure = 'probability' AND {texts}
        GROUP BY item_id
    """  # noqa: S608 (our own words)
    wanted = pa.table({"item_id": list(clips), "concept": [concept] * len(clips)})
    rows = run_query(refresh_catalog(store), query, tables={"wanted": wanted}).to_pylist()
    return {row["item_id"]: row["class"] for row in rows}


def write_accuracies(store: Store, plan: SweepPlan, found: Sequence[ScorerAccuracy]) -> None:
    """Write what every scorer of a sweep can hear."""
    common = {"sweep": plan.configuration.name, "sweep_id": plan.sweep_id, "run_id": plan.run_id}
    rows = [common | asdict(one) | {"unknown": list(one.unknown), "hears": one.hears} for one in found]
    write_newest(store, KIND, plan.sweep_id, rows, SCHEMA)


def deaf_notes(found: Sequence[ScorerAccuracy]) -> list[str]:
    """A sentence for each concept that a scorer cannot hear."""
    notes = []
    for one in found:
        if one.unknown:
            notes.append(
                f"{one.scorer} cannot tell apart {', '.join(one.unknown)} of {one.concept}: it does not know "
                "their words. What it says of them is left out (NULL)."
            )
        if one.hears is False and one.accuracy is not None:
            notes.append(
                f"{one.scorer} cannot hear {one.concept}: it names the class of {one.accuracy:.2f} of "
                f"{one.clips} labelled clips ({one.low:.2f} to {one.high:.2f}), and always the same class "
                f"would be right for {one.chance:.2f}. What it says of {one.concept} is left out (NULL)."
            )
    return notes
