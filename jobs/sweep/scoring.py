"""Score generations by their sound alone: descriptors, similarity to the twin, feature classifiers."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.effects.scores import accuracy_of
from analysis.probes.feature_classifier import FeatureClassifier, fit_feature_classifier
from analysis.splits import group_folds
from jobs.execution import Execution
from jobs.fitting.mapping import choose_engine, map_tasks
from jobs.generate.records import made_again, opened_sound
from jobs.method_versions import classifier_id
from jobs.probe.handcrafted import handcrafted_sources
from jobs.progress.reporting import followed
from jobs.sweep.labels import FOLDS, ConceptLabels
from jobs.sweep.scorers import Scored, Scorer, SweepSounds
from pipelines.audio.clips import mono
from pipelines.audio.resampling import resample
from pipelines.scorers.descriptors import (
    DESCRIPTORS,
    VERSION,
    Contour,
    contour,
    describe_sound,
    similarities,
)
from pipelines.scorers.descriptors import SAMPLE_RATE as DESCRIPTOR_RATE
from pipelines.scorers.features import FEATURE_KINDS, compute_features
from pipelines.scorers.features import SAMPLE_RATE as FEATURE_RATE
from store import open_store
from store.arrays.collection import Collection, open_collection
from store.catalog.asking import Catalog
from store.errors import CorruptData
from store.opening import Store
from store.results.parts import committed_digest, digest_of, write_results
from store.results.sounds import EVALUATIONS, SIMILARITIES, EvaluationRow, SimilarityRow
from store.results.table import Table, now

SIMILARITY_VERSION = f"{VERSION}.1"
"""Since .1 a silent sound is like no other; before, nobody knew."""
SILENCE = 1e-3
"""Loudest sample of what counts as silent: -60 dB of full scale, as for the descriptor."""
SOUNDS_PER_TASK = 16
SECONDS_PER_SOUND = 0.3
"""Rough: what a descriptor step takes for a few seconds of sound."""

Row = TypeVar("Row", EvaluationRow, SimilarityRow)


@dataclass(frozen=True, slots=True)
class ConceptClassifier:
    """A classifier with what identifies it in tables."""

    concept: str
    version: str
    classifier: FeatureClassifier
    codes: NDArray[Any]
    """Class of each clip that it was trained on, as a place among the classifier's."""
    groups: NDArray[Any]
    """Of these clips."""


def describe_generations(store: Store, generation_ids: Sequence[str], options: Execution) -> int:
    """Physical descriptors of generations; returns how many were described now."""
    missing = _unscored(store, generation_ids, scorer="descriptors", version=str(VERSION))
    function = partial(_described, store.url)
    return _map(store, EVALUATIONS, function, missing, options, title="descriptors")


def classify_generations(
    store: Store,
    generation_ids: Sequence[str],
    run: Collection,
    labels: Mapping[str, ConceptLabels],
    options: Execution,
) -> tuple[list[ConceptClassifier], list[str]]:
    """Probabilities of classes by handcrafted features, from classifiers trained on the run's labelled clips.

    Args:
        store: where generations and features are.
        generation_ids: what to score.
        run: whose dataset has the labels.
        labels: of each concept.
        options: where to work.

    Returns:
        The classifier of each concept, and notes on those without one.
    """
    classifiers, notes = [], []
    for one in labels.values():
        found, said = _classifier(store, run, one, options.roots)
        notes += said
        if found is not None:
            classifiers.append(found)
    for classifier in classifiers:
        missing = _unscored(store, generation_ids, scorer="features", version=classifier.version)
        function = partial(_classified, store.url, classifier)
        _map(store, EVALUATIONS, function, missing, options, title=f"features {classifier.concept}")
    return classifiers, list(dict.fromkeys(notes))


def compare_generations(store: Store, pairs: Iterable[tuple[str, str]], options: Execution) -> int:
    """Similarity of generations to their references, over time; returns how many were compared now.

    Args:
        store: where the sounds are.
        pairs: generation and the one it is compared with.
        options: where to work.
    """
    catalog = Catalog.of(store)
    query = "SELECT item_id, reference_id FROM similarities WHERE version = $version"
    rows = catalog.rows(query, version=SIMILARITY_VERSION) if catalog.has(SIMILARITIES.kind) else []
    known = {(row["item_id"], row["reference_id"]) for row in rows}
    missing = sorted(
        {pair for pair in pairs if pair[0] != pair[1]} - known, key=lambda pair: (pair[1], pair[0])
    )
    function = partial(_compared, store.url)
    return _map(store, SIMILARITIES, function, missing, options, title="similarities")


def _unscored(store: Store, generation_ids: Sequence[str], *, scorer: str, version: str) -> list[str]:
    catalog = Catalog.of(store)
    query = "SELECT DISTINCT item_id FROM evaluations WHERE scorer = $scorer AND scorer_version = $version"
    rows = catalog.rows(query, scorer=scorer, version=version) if catalog.has(EVALUATIONS.kind) else []
    known = {row["item_id"] for row in rows}
    return [one for one in dict.fromkeys(generation_ids) if one not in known]


def _map(
    store: Store,
    table: Table[Row],
    function: Callable[[Sequence[Any]], list[Row]],
    items: Sequence[Any],
    options: Execution,
    *,
    title: str,
) -> int:
    """Run over items in tasks, and write a part for each as it is done; returns the number of items."""
    tasks = [items[first : first + SOUNDS_PER_TASK] for first in range(0, len(items), SOUNDS_PER_TASK)]
    if not tasks:
        return 0
    engine = choose_engine(options.engine, address=options.address, seconds=len(items) * SECONDS_PER_SOUND)
    mapped = map_tasks(
        function, tasks, engine=engine, address=options.address, workers=options.workers, store=store
    )
    for place, rows in followed(mapped, total=len(tasks), title=title, unit="parts"):
        content = [asdict(replace(row, created_at=None)) for row in rows]
        specification = {"rows": digest_of([list(map(str, tasks[place])), content])}
        write_results(store, table.kind, specification, table.of(rows))
    return len(items)


def _described(store_url: str, generation_ids: Sequence[str]) -> list[EvaluationRow]:
    store = open_store(store_url)
    common = _evaluation("descriptors", "librosa", str(VERSION))
    rows = []
    for one in generation_ids:
        found = describe_sound(*read_samples(store, one))
        rows += [
            replace(common, item_id=one, measure=name, value=_number(found[name])) for name in DESCRIPTORS
        ]
    return rows


def _classified(store_url: str, one: ConceptClassifier, generation_ids: Sequence[str]) -> list[EvaluationRow]:
    store = open_store(store_url)
    features = np.stack([_features(store, each) for each in generation_ids])
    common = replace(
        _evaluation("features", "logistic on mel, mfcc, chroma", one.version),
        concept=one.concept,
        measure="probability",
    )
    return [
        replace(common, item_id=item, class_=name, value=_number(value))
        for item, probabilities in zip(generation_ids, one.classifier.probabilities(features), strict=True)
        for name, value in zip(one.classifier.classes, probabilities, strict=True)
    ]


def _evaluation(scorer: str, name: str, version: str) -> EvaluationRow:
    """What all scores of generations by one scorer have in common."""
    return EvaluationRow(
        item_kind="generation",
        scorer=scorer,
        scorer_name=name,
        scorer_version=version,
        created_at=now(),
    )


def _compared(store_url: str, pairs: Sequence[tuple[str, str]]) -> list[SimilarityRow]:
    store = open_store(store_url)

    @lru_cache(maxsize=4)
    def contour_of(generation_id: str) -> tuple[Contour, bool]:
        samples = read_sound(store, generation_id, sample_rate=DESCRIPTOR_RATE)
        return contour(samples), bool(np.abs(samples).max(initial=0.0) < SILENCE)

    return [
        SimilarityRow(
            item_id=item,
            reference_id=reference,
            measure=measure,
            value=_number(value),
            version=SIMILARITY_VERSION,
            created_at=now(),
        )
        for item, reference in pairs
        for measure, value in _similarities(contour_of(item), contour_of(reference)).items()
    ]


def _similarities(one: tuple[Contour, bool], other: tuple[Contour, bool]) -> dict[str, float]:
    """Of two sounds, each with whether it is silent: silence keeps nothing of a sound."""
    found = similarities(one[0], other[0])
    return found if one[1] == other[1] else dict.fromkeys(found, 0.0)


def _features(store: Store, generation_id: str) -> np.ndarray[Any, Any]:
    """All kinds beside each other, (F,)."""
    samples = read_sound(store, generation_id, sample_rate=FEATURE_RATE)
    return np.concatenate([compute_features(samples, kind) for kind in FEATURE_KINDS])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _classifier(
    store: Store, run: Collection, labelled: ConceptLabels, roots: Sequence[str]
) -> tuple[ConceptClassifier | None, list[str]]:
    """Trained on the features of the labelled clips, which are computed once per dataset."""
    labels, found = labelled.rows, labelled.concept
    sources, notes = handcrafted_sources(store, run, labels, roots)
    if len(sources) < len(FEATURE_KINDS):
        return None, [
            *notes,
            "Without statistics of the dataset's audio, no classifier can be trained on them.",
        ]
    collections = [open_collection(store.objects, source.prefix) for source in sources]
    known = found.labelled
    clip_ids = [clip for clip, keep in zip(labels.clip_ids, known, strict=True) if keep]
    features = np.concatenate(
        [one.read_clips(source.array, clip_ids) for one, source in zip(collections, sources, strict=True)],
        axis=1,
    )
    folds = group_folds(labels.groups[known], FOLDS, among=labels.all_groups)
    classifier = fit_feature_classifier(
        features.astype(np.float64), found.values[known], folds, found.classes
    )
    version = digest_of(
        [
            labels.hash_of(found),
            [committed_digest(one) for one in collections],
            classifier_id("feature_classifier"),
        ]
    )
    codes, groups = found.values[known], labels.groups[known]
    return ConceptClassifier(found.name, version, classifier, codes, groups), notes


def read_sound(store: Store, generation_id: str, *, sample_rate: int) -> NDArray[np.float32]:
    """Mono samples (samples,) of a generation at a rate, without its audio prompt; raises `NotFound`."""
    samples, rate = read_samples(store, generation_id)
    return resample(samples, rate, sample_rate)


def read_samples(store: Store, generation_id: str) -> tuple[NDArray[np.float32], int]:
    """Samples (samples,), its channels mixed, without the audio prompt, and how many a second has."""
    with opened_sound(store, generation_id) as file:
        rate = int(file.samplerate)
        file.seek(round(_prompt_seconds(store, generation_id, file.comment) * rate))
        return mono(np.asarray(file.read(dtype="float32"))), rate


def _prompt_seconds(store: Store, generation_id: str, tags: str) -> float:
    """Length of the audio prompt of a generation, from the specification in its file's tags; 0: none."""
    try:
        prompt = json.loads(tags)["audio_prompt"]
        return float(prompt["seconds"]) if prompt else 0.0
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptData(
            f"The sound {generation_id} has other tags than Undertone writes: it was damaged or replaced. "
            f"{made_again(store, generation_id)}"
        ) from error


def _descriptors(sounds: SweepSounds) -> Scored:
    return Scored({"described": describe_generations(sounds.store, sounds.made, sounds.options)})


def _similarity(sounds: SweepSounds) -> Scored:
    return Scored({"compared": compare_generations(sounds.store, sounds.twins, sounds.options)})


def _features_of(sounds: SweepSounds) -> Scored:
    store, expanded = sounds.store, sounds.expanded
    run = store.run(expanded.run_id)
    found, notes = classify_generations(store, sounds.made, run, expanded.labels, sounds.options)
    accuracies = [
        accuracy_of(
            "features", one.version, one.concept, one.classifier.hits, labels=one.codes, groups=one.groups
        )
        for one in found
    ]
    return Scored(accuracies=accuracies, notes=notes)


DESCRIPTOR_SCORER = Scorer(_descriptors)
SIMILARITY_SCORER = Scorer(_similarity)
FEATURE_SCORER = Scorer(_features_of, choice_rank=20)
