"""Steering as data: an edit is one direction at one place; a steering is several.

At one site and layer, edits of one kind and scaling are fused:

    interpolate   h' = (h + Σ ηᵢ s r̂ᵢ) / (1 + Σ |ηᵢ|)     (paper arXiv:2506.10225, method.md 3)
    add           h' = h + Σ ηᵢ s r̂ᵢ
    ablate        h' = h − η Q Qᵀ h, Q an orthonormal basis of the directions (arXiv:2406.11717);
                  of one with a reader q (LEACE, arXiv:2306.03819) h' = h − η r̂ (q·h − b), one after the other

with ηᵢ = αᵢ · weight · schedule(t), and s = ‖h‖ ("norm"), 1 ("unit"), or ‖h‖ with the result brought back to
length ‖h‖ ("norm_restored"). Kinds act in the order ablate, interpolate, add.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.steering.schedules import CONSTANT, Schedule
from store.errors import InvalidInput
from store.records import ModelInfo, Site, check_site

Kind = Literal["ablate", "interpolate", "add"]
Scaling = Literal["norm", "unit", "norm_restored"]
SteeredRows = Literal["conditional", "both"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they act at one place."""
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
READ_TOLERANCE = 1e-3
STEERED_ROWS: tuple[SteeredRows, ...] = get_args(SteeredRows)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a direction was found: it means nothing elsewhere."""

    model_fingerprint: str
    site: Site
    layer: int
    head: int | None = None


@dataclass(frozen=True, slots=True)
class Monitor:
    """Lets an edit watch what it is for, and ease off (SMITIN, arXiv:2404.02252).

    C is the probability that the generation so far is of the direction's positive class, from the running
    mean p̄ of its projections: sigmoid((μ₊ − μ₋)(p̄ − (μ₊ + μ₋)/2) / σ²), the posterior of two equally wide
    normal distributions. At C ≥ threshold the edit is off for that frame; below it, its strength is
    multiplied by (1 − decay · C) from frame to frame.
    """

    mean_positive: float
    mean_negative: float
    deviation: float
    """σ of the projections within a class."""
    threshold: float
    decay: float = 0.0

    def __str__(self) -> str:
        """Threshold and decay as `parse_monitor` reads them."""
        decay = f":{self.decay:.12g}" if self.decay else ""
        return f"{self.threshold:.12g}{decay}"

    def __post_init__(self) -> None:
        numbers = (self.mean_positive, self.mean_negative, self.deviation, self.threshold, self.decay)
        if not all(map(math.isfinite, numbers)) or self.deviation <= 0:
            raise InvalidInput(f"A monitor needs finite means and a positive deviation, not {numbers[:3]}.")
        if not (0 < self.threshold <= 1 and 0 <= self.decay <= 1):
            raise InvalidInput(
                f"Monitor threshold {self.threshold} and decay {self.decay}: the threshold lies above 0 and "
                f"up to 1, the decay between 0 and 1."
            )


def parse_monitor(text: str) -> tuple[float, float]:
    """Threshold and decay of "P" or "P:DECAY"; raises `InvalidInput`."""
    try:
        threshold, _, decay = text.partition(":")
        numbers = float(threshold), float(decay or 0.0)
    except ValueError as error:
        raise InvalidInput(
            f"The monitor {text!r} cannot be read; write 0.8, or 0.8:0.01 with a decay."
        ) from error
    Monitor(1.0, -1.0, 1.0, *numbers)  # raises where they are out of range
    return numbers


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """Where and how a direction is applied: what an edit says beside its direction and its strength."""

    site: Site
    layer: int
    _: KW_ONLY
    kind: Kind = "interpolate"
    scaling: Scaling = "norm"
    schedule: Schedule = CONSTANT
    weight: float = 1.0
    """Of this layer among several."""
    foreign: bool = False
    """Apply a direction although it was found in another model or at another place."""
    away: bool = False
    """Allow a negative strength: away from the positive class."""
    monitor: Monitor | None = None
    head: int | None = None
    """Edit this attention head's part of the activation alone; None for all of it."""

    def check(self, alpha: float) -> None:
        """Raise `InvalidInput` where it is not legal with this strength."""
        check_site(self.site)
        _choose("kind of edit", self.kind, KINDS)
        _choose("scaling", self.scaling, SCALINGS)
        if not math.isfinite(self.weight):
            raise InvalidInput(f"The weight {self.weight} of a layer is not a finite number.")
        check_strength(alpha * self.weight, self.kind, away=self.away)


MANNER = tuple(one.name for one in fields(Manner))


def manner_from(source: object, **known: Any) -> dict[str, Any]:
    """The fields of a manner by name: those that are known, the others as a source has them."""
    taken = {name: getattr(source, name) for name in MANNER if name not in known and hasattr(source, name)}
    return taken | known


def check_strength(
    strength: float,
    kind: str,
    *,
    away: bool,
    where: str = "Strength",
    cure: str = "say so if it is meant (away), or give a positive number",
) -> None:
    """Raise `InvalidInput` where a direction cannot be applied so strongly.

    Args:
        strength: α times the weight of its layer.
        kind: of the edit.
        away: whether a negative strength is meant.
        where: what gave the number, for messages.
        cure: how a negative strength is allowed there.
    """
    if not math.isfinite(strength):
        raise InvalidInput(f"{where} {strength:g} is not a finite number.")
    if kind == "interpolate" and strength == -1:
        raise InvalidInput(
            f"{where} -1 is not legal: (h + αr)/(1 + α) has no value there. Use a number beside it, such as "
            "-0.99."
        )
    if strength < 0 and not away:
        raise InvalidInput(
            f"{where} {strength:g} is negative, so that it steers away from the positive class: {cure}."
        )
    if kind == "ablate" and strength > 1:
        raise InvalidInput(f"{where} {strength:g}: an ablation removes at most everything, which is 1.")


def check_automatic(kinds: Iterable[str], *, where: str) -> None:
    """Raise `InvalidInput` for a kind whose strength cannot be found, but must be given."""
    if others := sorted(set(kinds) - {"interpolate"}):
        raise InvalidInput(
            f'{where}: "auto" is for the kind interpolate alone, and not for {others[0]}; give a number.'
        )


@dataclass(frozen=True, slots=True, eq=False)
class Edit(Manner):
    """One direction at one site and layer."""

    vector: NDArray[np.floating]
    """Shape (D,), of any length: only its direction counts. Kept as a float32 unit vector."""
    alpha: float
    """Strength; for "ablate" the part that is removed, 1 being all."""
    _: KW_ONLY
    origin: Origin | None = None
    """Where the vector was found; None where nobody knows, and then nothing is checked but its width."""
    reader: NDArray[np.floating] | None = None
    """Of an oblique ablation, (D,): what is read off an activation, with q · r̂ = 1."""
    reader_offset: float = 0.0
    """b: what it reads where nothing is to be removed."""

    def __post_init__(self) -> None:
        self.check(self.alpha)
        object.__setattr__(self, "vector", _unit(self.vector))
        self._check_reader()

    @property
    def place(self) -> tuple[Site, int]:
        """Site and layer."""
        return self.site, self.layer

    @property
    def oblique(self) -> bool:
        """Whether it removes what a reader reads, and not what lies along its direction."""
        return self.reader is not None

    def _check_reader(self) -> None:
        if self.reader is None:
            return
        if self.kind != "ablate":
            raise InvalidInput(f"A reader belongs to the kind of edit 'ablate', not to {self.kind!r}.")
        reader = np.asarray(self.reader, np.float64)
        fits = reader.shape == self.vector.shape and math.isclose(
            reader @ self.vector, 1, abs_tol=READ_TOLERANCE
        )
        if not fits or not math.isfinite(self.reader_offset):
            raise InvalidInput(
                f"A reader has the shape of its vector, {self.vector.shape}, and reads 1 of it; with this "
                f"one an ablation would not remove the direction. Fit it again with `undertone directions`."
            )


@dataclass(frozen=True, slots=True)
class Steering:
    """All edits of one generation."""

    edits: tuple[Edit, ...] = ()
    rows: SteeredRows = "conditional"
    """Under classifier-free guidance: edit the row with the conditions alone, or the one without them too."""
    steer_prompt: bool = False
    """Edit the frames of an audio prompt too; schedules then begin with it."""

    def __post_init__(self) -> None:
        _choose("choice of steered rows", self.rows, STEERED_ROWS)


def check_edit(edit: Edit, info: ModelInfo) -> None:
    """Raise InvalidInput where an edit does not fit the model, or its vector was found elsewhere."""
    site = info.site(edit.site)
    if not 0 <= edit.layer < site.layers:
        raise InvalidInput(
            f"{info.name!r} has no site {edit.site!r} at layer {edit.layer} (layers 0–{site.layers - 1})."
        )
    if edit.head is not None and not (site.heads > 1 and 0 <= edit.head < site.heads):
        heads = f"has heads 0–{site.heads - 1}" if site.heads > 1 else "has no heads"
        raise InvalidInput(f"The site {site.name!r} of {info.name!r} {heads}, and no head {edit.head}.")
    width = site.width if edit.head is None else site.head_width
    if len(edit.vector) != width:
        what = f"{info.name!r} of {width}" if edit.head is None else f"a head of {info.name!r} of {width}"
        raise InvalidInput(f"A vector of {len(edit.vector)} numbers does not fit {what}.")
    if edit.origin is not None and not edit.foreign:
        _check_origin(edit, edit.origin, info)


def _check_origin(edit: Edit, origin: Origin, info: ModelInfo) -> None:
    if origin.model_fingerprint != info.fingerprint:
        raise InvalidInput(
            f"The direction was found in another model ({origin.model_fingerprint[:12]}) than {info.name!r} "
            f"({info.fingerprint[:12]}). It means nothing here; to try it all the same, say so (foreign)."
        )
    if (origin.site, origin.layer, origin.head) != (*edit.place, edit.head):
        raise InvalidInput(
            f"The direction was found at {_where(origin)}, not at {_where(edit)}. Use it there, or say that "
            "it is to be moved (foreign)."
        )


def _where(place: Origin | Edit) -> str:
    head = "" if place.head is None else f", head {place.head}"
    return f"{place.site} of layer {place.layer}{head}"


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    given = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(given)) if given.ndim == 1 else 0.0
    if not (math.isfinite(length) and length > 0):
        raise InvalidInput(
            f"A direction is a vector (D,) of finite numbers that are not all zero; this one has the shape "
            f"{given.shape} and the length {length:g}."
        )
    unit = (given / length).astype(np.float32)
    unit.setflags(write=False)
    return unit


def _choose(what: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise InvalidInput(f"{value!r} is no {what}. Choose from {', '.join(legal)}.")
