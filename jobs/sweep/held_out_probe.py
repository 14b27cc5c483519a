"""A probe as scorer: fitted on clips that had no part in any direction, asked about generated sound.

It reads the model's own activations, as the directions do, but learnt from recordings of other groups: what a
direction owes to its own clips does not convince it. Generated sound is encoded and passed through the model
without text and without any edit, as recordings are when they are extracted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.effects.scores import accuracy_of
from analysis.probes.feature_classifier import FeatureClassifier, fit_feature_classifier
from analysis.splits import group_folds
from jobs.evaluate.items import Items
from jobs.evaluate.records import score_rows
from jobs.evaluate.scoring import score_items
from jobs.extract.planning import DTYPES
from jobs.fitting.labels import LabelledRows
from jobs.method_versions import classifier_id
from jobs.places import parse_reductions, parse_sites
from jobs.sweep.expansion import REDUCTION
from jobs.sweep.labels import FOLDS, ConceptLabels
from jobs.sweep.scorers import Scored, Scorer, SweepSounds, said
from store.arrays.collection import Collection
from store.results.parts import committed_digest, digest_of
from store.results.sounds import EVALUATIONS, EvaluationRow
from store.results.table import now

if TYPE_CHECKING:
    from jobs.evaluate.scorers import RowScorer

NAME = "probe"
FEWEST_GROUPS = 2 * FOLDS
"""Fewer groups without a part in the directions make no probe."""
MOST_LAYERS = 8
"""So many layers, evenly spread, are tried; the one that tells held-out clips apart best is read."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutProbe:
    """A probe of one concept."""

    concept: str
    layer: int
    classifier: FeatureClassifier
    codes: NDArray[Any]
    """Class of each clip that it was fitted on, as a place among the classifier's."""
    groups: NDArray[Any]
    """Of these clips."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSource:
    """Makes the scorer wherever a worker runs."""

    model: str
    dtype: str
    array: str
    """Array of the run, "resid.mean"."""
    probes: tuple[HeldOutProbe, ...]
    version: str

    def __call__(self, *, device: str) -> "RowScorer":
        return ProbeScorer(self, device=device)


class ProbeScorer:
    """Passes sound through the model and asks each probe at its layer."""

    kind = EVALUATIONS.kind

    def __init__(self, source: ProbeSource, *, device: str) -> None:
        from pipelines.models.named import load_named_model

        self._source = source
        self._model = load_named_model(source.model, device=device, dtype=source.dtype)
        self.version = source.version
        self.sample_rate = self._model.info.sample_rate
        self.channels = self._model.info.channels

    def rows_of(self, items: Items, audio: NDArray[np.float32]) -> pa.Table:
        activations = self._activations(audio)
        common = EvaluationRow(
            scorer=NAME,
            scorer_name=f"logistic on {self._source.array}",
            scorer_version=self.version,
            measure="probability",
            created_at=now(),
        )
        rows: list[EvaluationRow] = []
        for probe in self._source.probes:
            values = np.asarray(probe.classifier.probabilities(activations[probe.layer]), np.float64)
            classes = dict.fromkeys(probe.classifier.classes)
            rows += score_rows(items, values, classes, replace(common, concept=probe.concept))
        return EVALUATIONS.of(rows)

    def _activations(self, audio: NDArray[np.float32]) -> dict[int, NDArray[np.float64]]:
        """By layer, (B, D)."""
        import torch

        from pipelines.capture import CaptureSpec, forward_activations
        from pipelines.models.channels import as_batch

        layers = tuple(sorted({probe.layer for probe in self._source.probes}))
        site, _, reduction = self._source.array.partition(".")
        spec = CaptureSpec(parse_sites(site), layers, parse_reductions(reduction))
        with torch.inference_mode():
            codes = self._model.encode(torch.from_numpy(as_batch(audio)))
            found = forward_activations(self._model, codes, spec)
        rows = found[self._source.array].double().cpu().numpy()
        return {layer: rows[:, place] for place, layer in enumerate(layers)}


def fit_held_out_probes(
    run: Collection,
    array: str,
    labels: Mapping[str, ConceptLabels],
    *,
    model: str,
    dtype: str,
) -> tuple[ProbeSource | None, list[str]]:
    """Probes on the clips whose groups have no part in the directions.

    Args:
        run: whose activations are read.
        array: which of them, "resid.mean".
        labels: of each concept.
        model: as `load_named_model` takes it.
        dtype: of the language model.

    Returns:
        What makes a scorer, None where no concept has clips left, and a note on those without.
    """
    used = {group for one in labels.values() for group in one.direction_rows.groups.tolist()}
    probes, without, identity = [], [], []
    for name, labelled in labels.items():
        rows, concept = labelled.rows, labelled.concept
        free = concept.labelled & ~np.isin(rows.groups, sorted(used))
        if len(np.unique(rows.groups[free])) < FEWEST_GROUPS or len(np.unique(concept.values[free])) < 2:
            without.append(name)
            continue
        probes.append(_fit(run, array, rows, concept, free))
        identity.append([name, rows.hash_of(concept), np.unique(rows.groups[free]).tolist()])
    notes = [_note(without)] if without else []
    if not probes:
        return None, notes
    version = digest_of([identity, array, committed_digest(run), classifier_id("held_out_probe"), dtype])
    return ProbeSource(model, dtype, array, tuple(probes), version), notes


def _note(concepts: Sequence[str]) -> str:
    return (
        f"No held-out probe of {', '.join(concepts)}: directions use almost all clips; write "
        'direction_clips = "half" into the sweep.'
    )


def _fit(
    run: Collection, array: str, rows: LabelledRows, concept: Concept, free: NDArray[np.bool_]
) -> HeldOutProbe:
    clips = [clip for clip, keep in zip(rows.clip_ids, free, strict=True) if keep]
    folds = group_folds(rows.groups[free], FOLDS, among=rows.all_groups)
    codes = concept.values[free]

    @lru_cache
    def fitted(layer: int) -> FeatureClassifier:
        activations = np.asarray(run.read_layer(array, layer, clip_ids=clips)[0], np.float64)
        return fit_feature_classifier(activations, codes, folds, concept.classes)

    best = max(_spread(run.layers(array)), key=lambda layer: fitted(layer).accuracy)
    return HeldOutProbe(concept.name, best, fitted(best), codes, rows.groups[free])


def _spread(layers: Sequence[int]) -> list[int]:
    """At most `MOST_LAYERS` of them, the first and the last included."""
    places = np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers)))
    return [layers[round(place)] for place in places]


def _score(sounds: SweepSounds) -> Scored:
    run, array = sounds.store.run(sounds.expanded.run_id), f"resid.{REDUCTION}"
    if array not in run.arrays:
        return Scored({NAME: f"none: the run has no {array}"}, "")
    labels, dtype = sounds.expanded.labels, DTYPES[sounds.options.dtype]
    source, notes = fit_held_out_probes(run, array, labels, model=sounds.expanded.model_name, dtype=dtype)
    if source is None:
        return Scored({NAME: " ".join(notes)}, "")
    scoring = score_items(sounds.store, sounds.items, NAME, source.version, sounds.options, source=source)
    read = ", ".join(f"{one.concept} at layer {one.layer}" for one in source.probes)
    accuracies = [
        accuracy_of(
            NAME, source.version, one.concept, one.classifier.hits, labels=one.codes, groups=one.groups
        )
        for one in source.probes
    ]
    return Scored({NAME: " ".join([f"{said(scoring)}; {read}.", *notes])}, source.version, accuracies)


SCORER = Scorer(_score, choice_rank=40)
