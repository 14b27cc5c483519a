"""Resolve options on directions into edits: where each is applied, when, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from jobs.directions.stored import find_vector, read_vectors
from jobs.generate.requests import edit_of
from jobs.generate.specification import EditSpec
from jobs.places import parse_layers
from pipelines.steering.edits import Monitor, check_automatic, check_strength, manner_from, parse_monitor
from pipelines.steering.schedules import parse_schedule
from pipelines.steering.strength import Target, Twin, distortion_matched_cap, in_distribution
from store.catalog.quoting import sql_value
from store.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.generate.options import GenerateOptions
    from jobs.generate.specification import GenerationSpec
    from pipelines.generation.generate import GeneratedAudio
    from pipelines.models.protocol import LoadedModel
    from pipelines.steering.schedules import Schedule
    from store.opening import Store
    from store.results.fits import VectorRow

AUTO = "auto"
LAYERS_WITHOUT_END = 10_000

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class ChosenEdits:
    """Edits and the directions they name."""

    edits: tuple[EditSpec, ...]
    vectors: dict[str, VectorRow]
    automatic: frozenset[int]
    """Places in `edits` whose strength is to be found."""


def choose_edits(store: Store, options: GenerateOptions) -> ChosenEdits:
    """Resolve the directions of a generation.

    Raises:
        NotFound: There is no such direction, or none like it at a layer that was asked for.
        InvalidInput: Strengths or schedules don't fit the directions, or cannot be read.
    """
    count = len(options.directions)
    alphas = _one_each(options.alphas or (usual_strength(options),), count, "--alpha")
    written = options.schedules or ("constant",)
    schedules = _one_each([parse_schedule(text) for text in written], count, "--schedule")
    edits: list[EditSpec] = []
    vectors: dict[str, VectorRow] = {}
    automatic: set[int] = set()
    for name, alpha, schedule in zip(options.directions, alphas, schedules, strict=True):
        for vector, layer in _placed(store, find_vector(store, name), options):
            if alpha == AUTO:
                automatic.add(len(edits))
            vectors[vector.vector_id] = vector
            edits.append(_edit(vector, layer, alpha, schedule, options))
    if automatic:
        _check_automatic(edits)
    return ChosenEdits(tuple(edits), vectors, frozenset(automatic))


def usual_strength(options: GenerateOptions) -> str:
    """The strength where none is said."""
    return "1" if options.kind == "ablate" else "0.5"


def _check_automatic(edits: Sequence[EditSpec]) -> None:
    check_automatic((edit.kind for edit in edits), where="--alpha auto")
    if len({edit.layer for edit in edits}) < len(edits):
        raise InvalidInput("--alpha auto needs one direction per layer; give numbers for a fusion.")


def _edit(
    vector: VectorRow, layer: int, alpha: str, schedule: Schedule, options: GenerateOptions
) -> EditSpec:
    manner = manner_from(
        options,
        site=options.site or vector.site,
        layer=layer,
        head=vector.head,
        schedule=schedule,
        monitor=monitor_of(options.monitor, vector) if options.monitor else None,
    )
    strength = 0.0 if alpha == AUTO else _strength(alpha, options)
    return EditSpec(**manner, vector_id=vector.vector_id, alpha=strength)


def _placed(store: Store, vector: VectorRow, options: GenerateOptions) -> list[tuple[VectorRow, int]]:
    """A direction and its like at the layers that were asked for; with --foreign itself at all of them."""
    if options.layers is None and options.site in (None, vector.site):
        return [(vector, vector.layer)]
    layers = _layers(vector, options.layers)
    if options.foreign:
        return [(vector, layer) for layer in layers]
    like = {other.layer: other for other in _alike(store, vector, options.site or vector.site)}
    missing = [layer for layer in layers if layer not in like]
    if missing:
        raise NotFound(
            f"There is no direction like {vector.vector_id} at {options.site or vector.site} of layer "
            f"{missing[0]} (there are some at {', '.join(map(str, sorted(like))) or 'no layer'}). Fit it "
            f"with `undertone directions`, or apply this one there with --foreign."
        )
    return [(like[layer], layer) for layer in layers]


def _layers(vector: VectorRow, text: str | None) -> tuple[int, ...]:
    if text == "all":
        raise InvalidInput("Layers 'all' are not known before the model is loaded; write 0-23, or 4,5,6.")
    return (vector.layer,) if text is None else parse_layers(text, LAYERS_WITHOUT_END)


def _alike(store: Store, vector: VectorRow, site: str) -> list[VectorRow]:
    """Directions of the same fit at other layers, or at another site: newest last."""
    same = {
        "run_id": vector.run_id,
        "reduction": vector.reduction,
        "concept": vector.concept,
        "positive": vector.positive,
        "method": vector.method,
        "labels_hash": vector.labels_hash,
        "site": site,
    }
    conditions = [f"{name} = {sql_value(value)}" for name, value in same.items()]
    conditions.append(f"negative IS NOT DISTINCT FROM {sql_value(vector.negative)}")
    conditions.append(f"head IS NOT DISTINCT FROM {sql_value(vector.head)}")
    conditions.append(f"random_seed IS NOT DISTINCT FROM {sql_value(vector.random_seed)}")
    return read_vectors(store, " AND ".join(conditions))


def _one_each(given: Sequence[Given], count: int, option: str) -> list[Given]:
    if len(given) == 1:
        return list(given) * count
    if len(given) != count:
        raise InvalidInput(
            f"{len(given)} times {option} for {count} directions: give it once, or once for each."
        )
    return list(given)


def _strength(text: str, options: GenerateOptions) -> float:
    try:
        strength = float(text)
    except ValueError as error:
        raise InvalidInput(f"Strength {text!r} is no number; give one such as 0.5, or auto.") from error
    check_strength(
        strength, options.kind, away=options.away, where="--alpha", cure="add --away if that is meant"
    )
    return strength


def monitor_of(text: str, vector: VectorRow) -> Monitor:
    """A self-monitor "P" or "P:DECAY" that watches a direction.

    Raises:
        InvalidInput: The text says something else, or the direction's statistics are not known.
    """
    threshold, decay = parse_monitor(text)
    positive, negative, deviation = statistics(vector)
    return Monitor(positive, negative, deviation, threshold, decay)


def statistics(vector: VectorRow) -> tuple[float, float, float]:
    """Mean projections of both classes and their deviation.

    Raises:
        InvalidInput: Nothing was held out when the direction was fitted, so they are not known.
    """
    if vector.mean_positive is None or vector.mean_negative is None or not vector.deviation:
        raise InvalidInput(
            f"Direction {vector.vector_id} has no held-out projections, so no strength can be found for it. "
            f"Give a number, or fit it on more groups."
        )
    return vector.mean_positive, vector.mean_negative, vector.deviation


@dataclass(frozen=True, slots=True)
class AutomaticStrengths:
    """What was found, and how."""

    edits: tuple[EditSpec, ...]
    cap: float | None
    """Factor by which the distortion-matched cap lowered the strengths; None without a cap."""


def find_strengths(
    model: LoadedModel,
    spec: GenerationSpec,
    chosen: ChosenEdits,
    unsteered: GeneratedAudio,
    *,
    target_prompt: str | None,
) -> AutomaticStrengths:
    """Bring every automatic edit to the positive class's mean projection, capped by another text's effect.

    Args:
        model: A loaded model.
        spec: Of the generation.
        chosen: Its edits; numbers among their strengths stay.
        unsteered: Its twin.
        target_prompt: The text for the cap; None: no cap.

    Raises:
        InvalidInput: A direction's statistics are not known, or two edits share a layer.
    """
    places = sorted(chosen.automatic)
    specs = [chosen.edits[place] for place in places]
    vectors = [chosen.vectors[edit.vector_id] for edit in specs]
    edits = [edit_of(edit, vector) for edit, vector in zip(specs, vectors, strict=True)]
    known = [statistics(vector) for vector in vectors]
    targets = [Target(positive, deviation) for positive, _, deviation in known]
    heard = unsteered.request
    twin = Twin(unsteered.codes, spec.text, heard.prompt_frames, heard.melody)
    found = in_distribution(model, edits, targets, twin)
    cap = None
    if target_prompt is not None:
        cap = distortion_matched_cap(model, found, twin, target_text=target_prompt)
    strengths = {
        place: _rounded(edit.alpha * (1.0 if cap is None else cap))
        for place, edit in zip(places, found, strict=True)
    }
    settled = [
        replace(edit, alpha=strengths.get(place, edit.alpha)) for place, edit in enumerate(chosen.edits)
    ]
    return AutomaticStrengths(tuple(settled), cap)


def _rounded(strength: float) -> float:
    """To four digits: another number of threads must not give another generation."""
    return float(f"{strength:.4g}")
