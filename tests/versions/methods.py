"""Every method whose results are stored, with its version and a small problem that it is given."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import probe_transfer, representation_similarity
from analysis.clustering import kmeans, minibatch, scaling
from analysis.clustering import scores as kmeans_scores
from analysis.clustering.fitting import clusters
from analysis.clustering.scaling_kinds import SCALINGS, ScalingKind
from analysis.concepts import LOSSES, Concept, Loss, concept_of
from analysis.directions import fitting as directions
from analysis.directions import separation
from analysis.directions.fitting import METHODS, Estimator
from analysis.linear import moments, ridge, tridiagonal
from analysis.linear.ridge import DualRidge
from analysis.linear.row_blocks import HeldRows
from analysis.probe_transfer import Labelled, fit_layer, transfer
from analysis.probes import feature_classifier
from analysis.probes import scores as probe_scores
from analysis.probes.feature_classifier import fit_feature_classifier
from analysis.probes.methods import ProbeMethod, version_of
from analysis.probes.out_of_fold import moments_by_cell, problem_of_moments, ridge_predictions
from analysis.probes.probe import probe_arrays
from analysis.probes.targets import ridge_targets
from analysis.representation_similarity import parts_of
from analysis.splits import Partition, fold_partition
from jobs.method_versions import Kind
from pipelines.pocket import judge
from pipelines.scorers import descriptors, features
from pipelines.scorers.descriptors import contour, describe_sound, similarities
from pipelines.scorers.features import FEATURE_KINDS, FeatureKind, compute_all_features
from store.extensions import PROBES

Floats = NDArray[np.float64]

FLOAT64 = 1e-12
"""Some thousand rounding errors of float64, relative to the inputs."""
FLOAT32 = 1e-5
"""About a hundred of float32: of sound and of points, which products and transforms keep in float32."""
CLASSES = ("blues", "jazz", "rock")
PENALTIES = (0.01, 1.0, 100.0)
ROWS = 60


@dataclass(frozen=True, slots=True)
class Versioned:
    """A method, and what it makes of its problem."""

    name: str
    versions: Mapping[str, int]
    """By where it stands, every version that an id of its results holds."""
    compute: Callable[[float], Mapping[str, Any]]
    """From how far inputs are moved, relative to their size, to numbers, arrays and texts by name."""
    nudge: float
    """What rounding is like."""
    tolerance: float
    """Relative to the largest number of a name."""
    kinds: tuple[Kind, ...] = ()
    """Kinds of results whose ids hold its version."""


def uneven(*shape: int, step: int) -> Floats:
    """Numbers from -0.5 to 0.5 in no order, which are the same on every machine to the last bit."""
    places = np.arange(int(np.prod(shape)), dtype=np.int64)
    return ((places * places * step + places * 7919) % 1021 / 1024 - 0.5).reshape(shape)


def nudged(rows: Floats, nudge: float) -> Floats:
    """Rows moved by this share of their size, each number another way."""
    return np.asarray(rows * (1 + 2 * nudge * uneven(*rows.shape, step=31)))


CODES = np.arange(ROWS) % len(CLASSES)
GROUPS = np.arange(ROWS) // 6 * 2 + np.arange(ROWS) % 2
"""Twenty groups of three rows."""
FOLDS = (GROUPS % 5).astype(np.int8)


def rows_of(width: int, nudge: float) -> Floats:
    """Rows (60, width) of three classes that overlap."""
    rows = 2 * uneven(ROWS, width, step=13) + 3
    rows[:, 0] += 0.5 * (CODES == 1)
    rows[:, 1] += 0.4 * (CODES == 2)
    return nudged(rows, nudge)


PARTITION = Partition(FOLDS, 5, tuple(range(5)))
EVERY = slice(None, None, 7)
"""Enough of many numbers."""


def concept() -> Concept:
    return Concept("style", "class", CODES, CLASSES)


def probed(loss: Loss, nudge: float) -> dict[str, Any]:
    """Classes, by rows and by moments, and numbers where the loss takes them."""
    found: dict[str, Any] = {}
    labels = np.array(CLASSES)[CODES]
    for way, width in {"moments": 5, "rows": 70}.items():
        rows = rows_of(width, nudge)
        one = probe_arrays(rows, labels, groups=GROUPS, loss=loss, penalties=PENALTIES, controls=3)
        assert one.control is not None
        found[way] = [one.score, *one.interval, one.baseline, one.penalty, *asdict(one.control).values()]
        found[f"{way} classes"] = [[each.score, *each.interval, each.roc_auc] for each in one.classes]
        found[f"{way} confusion"] = one.confusion
        found[f"{way} verdict"] = one.verdict
        found[f"{way} predictions"] = predicted(loss, rows)
        if loss == "mse":
            numbers = rows[:, 0] + rows[:, 2] ** 2
            number = probe_arrays(rows, numbers, groups=GROUPS, penalties=PENALTIES, controls=0)
            found[f"{way} numbers"] = [number.score, *number.interval, number.penalty]
            found[f"{way} predicted numbers"] = number.predictions[EVERY]
    return found


def predicted(loss: Loss, rows: Floats) -> Floats:
    """What held-out rows get: of ridge the values of the targets, of probes of classes probabilities."""
    if loss != "mse":
        method = PROBES.load(loss, ProbeMethod)
        fitted = method.predict([HeldRows(rows)], CODES[np.newaxis], len(CLASSES), PARTITION, PENALTIES)
        return fitted.guesses[0].scores[EVERY]
    targets, held = ridge_targets([concept()], GROUPS, controls=0, seed=0), HeldRows(rows)
    if len(rows) <= rows.shape[1]:
        problem: Any = DualRidge(rows, targets.columns(), FOLDS)
    else:
        problem = problem_of_moments(held, moments_by_cell(held, PARTITION), targets.columns, PARTITION)
    found = ridge_predictions(problem, held, targets, PARTITION, PENALTIES)
    return found.of_concept(0)[0].scores[EVERY]


def direction(method: Estimator, nudge: float) -> dict[str, Any]:
    targets = (CODES == 1)[:, np.newaxis]
    found: dict[str, Any] = {}
    for width in (6, 70):
        rows = rows_of(width, nudge)
        (fit,) = directions.fit_directions(
            rows, targets, folds=FOLDS, groups=GROUPS, methods=[method], seeds=[5]
        )
        one = fit[method]
        assert one.held_out is not None
        found[f"{width} vector"] = one.vector[: width if width < 10 else None : 1 if width < 10 else 7]
        found[f"{width} held out"] = list(asdict(one.held_out).values())
        found[f"{width} norm"] = one.norm
        found[f"{width} cosine"] = one.cosine_to_mean_difference
        found[f"{width} random score"] = one.random_score
        found[f"{width} penalty"] = "none" if one.penalty is None else one.penalty
        if one.reader is not None:
            found[f"{width} reader"] = [*one.reader[EVERY], one.reader_offset]
    return found


def clustered(kind: ScalingKind, batch_size: int, nudge: float) -> dict[str, Any]:
    rows = rows_of(8, nudge)
    rows[:, :2] += 3 * np.stack([CODES == 1, CODES == 2], axis=1)
    found = clusters(rows, 3, y=np.array(CLASSES)[CODES], scaling=kind, starts=3, batch_size=batch_size)
    assert found.agreement is not None
    return {
        "clusters": in_order_of_appearance(found.labels),
        "inertias": found.inertias,
        "silhouette": found.silhouette,
        "agreement": list(asdict(found.agreement).values()),
    }


def in_order_of_appearance(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clusters named anew: which of several starts with one result counts is up to rounding."""
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[places])


def kept_moments(nudge: float) -> dict[str, Any]:
    found = moments_by_cell(HeldRows(rows_of(4, nudge)), PARTITION)
    return {"shift": found.shift, "counts": found.counts, "sums": found.sums, "grams": found.grams}


def kept_factors(nudge: float) -> dict[str, Any]:
    rows = rows_of(5, nudge)
    gram = rows.T @ rows
    found = tridiagonal.tridiagonalise(gram)
    solved = found.solve(gram[:, :2], PENALTIES)
    return {"rotation": found.rotation, "diagonal": found.diagonal, "beside": found.beside, "solved": solved}


def classifier(nudge: float) -> dict[str, Any]:
    found = fit_feature_classifier(rows_of(6, nudge), CODES, FOLDS, CLASSES)
    return {
        "mean": found.mean,
        "scale": found.scale,
        "weights": found.weights,
        "intercepts": found.intercepts,
        "penalty": found.penalty,
        "accuracy": found.accuracy,
        "hits": found.hits,
    }


@lru_cache(maxsize=2)
def sound(nudge: float) -> NDArray[np.float32]:
    """Two seconds: four notes with overtones, each struck with noise, over a quiet hum."""
    rate = features.SAMPLE_RATE
    time = np.arange(2 * rate) / rate
    samples = 0.01 * np.sin(2 * np.pi * 110 * time)
    for place, pitch in enumerate((220.0, 277.183, 329.628, 440.0)):
        after = np.maximum(time - place / 2, 0.0)
        swell = (time >= place / 2) * np.exp(-5 * after)
        samples += 0.2 * swell * (np.sin(2 * np.pi * pitch * after) + 0.4 * np.sin(6 * np.pi * pitch * after))
        samples += 0.3 * (time >= place / 2) * np.exp(-60 * after) * uneven(len(time), step=17)
    return np.asarray(nudged(samples, nudge), np.float32)


def handcrafted(kind: FeatureKind, nudge: float) -> dict[str, Any]:
    return {"statistics": compute_all_features(sound(nudge))[kind]}


def described(nudge: float) -> dict[str, Any]:
    return dict(describe_sound(sound(nudge)))


def similar(nudge: float) -> dict[str, Any]:
    whole = sound(nudge)
    return dict(similarities(contour(whole), contour(np.roll(whole, features.SAMPLE_RATE // 8))))


def compared(nudge: float) -> dict[str, Any]:
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 5)) + nudge
    y = np.hstack([x[:, :2], random.standard_normal((60, 4))])
    parts = parts_of(np.arange(60) // 2)

    def moments(a: Floats, b: Floats) -> list[representation_similarity.PairMoments]:
        return [representation_similarity.pair_moments(a[parts == p], b[parts == p]) for p in range(20)]

    return asdict(representation_similarity.similarity(moments(x, y), moments(x, x), moments(y, y)))


def transferred(nudge: float) -> dict[str, Any]:
    rows, labels = rows_of(6, nudge), np.array(CLASSES)[CODES]
    concepts = [concept_of("class", labels), concept_of("number", rows[:, 0] + rows[:, 2] ** 2)]
    given = Labelled.of(concepts, GROUPS, fold_partition(GROUPS, 5), controls=2, seed=0)
    found = {}
    for width in (6, 4):
        there = HeldRows(np.tanh(rows[:, :width] / 2) + 0.1 * rows[:, ::-1][:, :width])
        source, target = (fit_layer(one, given, PENALTIES) for one in (HeldRows(rows), there))
        for one in transfer(source.fitted, HeldRows(rows), target, given, PENALTIES):
            sides = [[side.score, side.low, side.high] for side in (one.moved, one.own, one.source)]
            found[f"{width} {one.concept} {one.through}"] = sides
    return found


def judged(nudge: float) -> dict[str, Any]:
    one, part = judge.load_judge(), sound(nudge)
    audio = np.concatenate([part, part[::-1], part[::-1]])[np.newaxis]  # two windows that differ
    found: dict[str, Any] = {"tempo": one.tempo_bpm(audio, features.SAMPLE_RATE)}
    return found | {name: said for name, (_, said) in one.probabilities(audio, features.SAMPLE_RATE).items()}


SCORES = {"analysis.probes.scores.VERSION": probe_scores.VERSION}
DESCRIPTORS = {"pipelines.scorers.descriptors.VERSION": descriptors.VERSION}
CLUSTERINGS = {
    "analysis.clustering.kmeans.VERSION": kmeans.VERSION,
    "analysis.clustering.scores.VERSION": kmeans_scores.VERSION,
    "analysis.clustering.scaling.VERSION": scaling.VERSION,
}


def of_probes(loss: Loss) -> dict[str, int]:
    if loss == "mse":
        return {"analysis.linear.ridge.VERSION": ridge.VERSION} | SCORES
    return {f"version of the probe {loss}": version_of(loss)} | SCORES


def of_directions(method: Estimator) -> dict[str, int]:
    own = {f"version of the direction {method}": directions.version_of(method)}
    return own | {"analysis.directions.separation.VERSION": separation.VERSION}


EVERY_METHOD = (
    *(
        Versioned(f"probe {loss}", of_probes(loss), partial(probed, loss), FLOAT64, 1e-5, ("probes",))
        for loss in LOSSES
    ),
    *(
        Versioned(
            f"direction {method}",
            of_directions(method),
            partial(direction, method),
            FLOAT64,
            1e-5,
            ("directions", "text_directions"),
        )
        for method in METHODS
    ),
    *(
        Versioned(
            f"k-means {kind}", CLUSTERINGS, partial(clustered, kind, 0), FLOAT32, 1e-3, ("clusterings",)
        )
        for kind in SCALINGS
    ),
    Versioned(
        "k-means by mini-batches",
        CLUSTERINGS | {"analysis.clustering.minibatch.VERSION": minibatch.VERSION},
        partial(clustered, "none", 20),
        FLOAT32,
        1e-3,
        ("clusterings",),
    ),
    Versioned(
        "moments",
        {"analysis.linear.moments.VERSION": moments.VERSION},
        kept_moments,
        FLOAT64,
        1e-9,
        ("moments",),
    ),
    Versioned(
        "factors",
        {"analysis.linear.tridiagonal.VERSION": tridiagonal.VERSION},
        kept_factors,
        FLOAT64,
        1e-6,
        ("factors",),
    ),
    Versioned(
        "feature classifier",
        {"analysis.probes.feature_classifier.VERSION": feature_classifier.VERSION},
        classifier,
        FLOAT64,
        1e-3,
        ("feature_classifier", "held_out_probe"),
    ),
    *(
        Versioned(
            f"features {kind}",
            {"pipelines.scorers.features.VERSION": features.VERSION},
            partial(handcrafted, kind),
            FLOAT32,
            1e-3,
        )
        for kind in FEATURE_KINDS
    ),
    Versioned(
        "descriptors",
        {"pipelines.scorers.descriptors.VERSION": descriptors.VERSION},
        described,
        FLOAT32,
        1e-3,
    ),
    Versioned(
        "layer similarities",
        {"analysis.representation_similarity.VERSION": representation_similarity.VERSION},
        compared,
        FLOAT64,
        1e-6,
    ),
    Versioned(
        "probe transfers",
        {"analysis.probe_transfer.VERSION": probe_transfer.VERSION, **of_probes("mse")},
        transferred,
        FLOAT64,
        1e-5,
    ),
    Versioned("similarities", DESCRIPTORS, similar, FLOAT32, 1e-3),
    Versioned("judge", {"pipelines.pocket.judge.VERSION": judge.VERSION}, judged, FLOAT32, 1e-3),
)
VERSIONED = {one.name: one for one in EVERY_METHOD}
