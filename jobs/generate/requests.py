"""Build requests to the model from a generation's specification and stored directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.generate.specification import EditSpec
from pipelines.generation.generate import GenerationRequest
from pipelines.generation.sampling import Sampling
from pipelines.steering.edits import Edit, Origin, Steering, manner_from
from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from jobs.generate.specification import GenerationSpec
    from store.results.fits import VectorRow


def request_of(
    spec: GenerationSpec,
    vectors: Mapping[str, VectorRow],
    *,
    prompt_codes: np.ndarray[Any, Any] | None = None,
    melody: np.ndarray[Any, Any] | None = None,
) -> GenerationRequest:
    """The request of a specification.

    Args:
        spec: What is to be generated.
        vectors: By id, the directions that its edits name.
        prompt_codes: Codec tokens (K, T₀) of its audio prompt.
        melody: Samples (samples,) of its melody at the model's rate.

    Raises:
        InvalidInput: An edit is not legal.
    """
    return GenerationRequest(
        seconds=spec.seconds,
        text=spec.text,
        random_state=spec.random_state,
        prompt_codes=prompt_codes,
        melody=melody,
        sampling=Sampling(spec.guidance, spec.temperature, spec.top_k, spec.top_p),
        steering=steering_of(spec, vectors),
    )


def steering_of(spec: GenerationSpec, vectors: Mapping[str, VectorRow]) -> Steering:
    """The edits of a specification, with the vectors they name."""
    edits = tuple(edit_of(edit, vectors[edit.vector_id]) for edit in spec.edits)
    return Steering(edits, rows=spec.rows, steer_prompt=spec.steer_prompt)


def edit_of(spec: EditSpec, vector: VectorRow) -> Edit:
    """One edit; its direction's origin goes along, and is compared with where it is applied."""
    erases = spec.kind == "ablate" and vector.method == "leace"
    if erases and vector.reader is None:
        raise InvalidInput(
            f"Direction {vector.vector_id} was fitted by leace before its eraser was kept: fit it again with "
            "`undertone directions`, or ablate a diffmean direction, which is removed orthogonally."
        )
    return Edit(
        **manner_from(spec),
        vector=vector.vector,
        alpha=spec.alpha,
        origin=Origin(vector.model_fingerprint, vector.site, vector.layer, vector.head),
        reader=vector.reader if erases else None,
        reader_offset=(vector.reader_offset or 0.0) if erases else 0.0,
    )
