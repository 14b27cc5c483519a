"""Record activations during generation, as `capture` does during a teacher-forced pass.

What is kept are the same decoder steps that a teacher-forced pass over the finished codes would have, of the
rows with conditions, after any edits. Steps that a later window passes again are kept as they were first.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from pipelines.capture import check_capture
from pipelines.reductions import reduce_rows
from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.capture import CaptureSpec
    from pipelines.models.protocol import LoadedModel
    from pipelines.steering.steer import SteeringState
    from store.records import Site


@contextmanager
def record_generation(
    model: LoadedModel, spec: CaptureSpec, state: SteeringState, *, clips: int, frames: int
) -> Iterator[RecordedGeneration]:
    """Record one batch of generations.

    Args:
        model: Its modules carry hooks inside the block, and only there.
        spec: What to keep.
        state: Of the `steer` block around this one: where each pass is.
        clips: B, the rows with conditions, which come first.
        frames: T.

    Raises:
        InvalidInput: The model has no such layer or site, or the generation is too short.
    """
    check_capture(model.info, spec)
    if max(model.info.delays) == 0:
        raise InvalidInput(
            f"{model.info.name!r} has no delay pattern and never reads its own last frame: one step that a "
            f"teacher-forced pass has would be missing. Generate without capture, and extract afterwards."
        )
    recorded = RecordedGeneration(model, spec, state, clips=clips, frames=frames)
    handles: list[Any] = []
    try:
        for site in spec.sites:
            handles.extend(
                model.point(site, layer).hook(recorded.recorder(site, layer))
                for layer in recorded.layers_of(site)
            )
        yield recorded
    finally:
        for handle in handles:
            handle.remove()


class RecordedGeneration:
    """Activations of a batch, filled step by step."""

    def __init__(
        self, model: LoadedModel, spec: CaptureSpec, state: SteeringState, *, clips: int, frames: int
    ) -> None:
        self._info, self._spec = model.info, spec
        self._state = state
        self._alignment = model.alignment(frames)
        self._clips = clips
        self._device = model.device
        self._whole: dict[tuple[Site, int], torch.Tensor] = {}

    def layers_of(self, site: Site) -> tuple[int, ...]:
        """The layer numbers of a site's arrays."""
        return self._spec.layers_of(self._info.site(site))

    def recorder(self, site: Site, layer: int) -> Callable[[torch.Tensor], None]:
        """A function that keeps what is new of an output (rows, P + steps, D)."""
        clips, steps = self._clips, self._alignment.steps
        shape = (clips, steps, self._info.site(site).width)
        whole = self._whole[site, layer] = torch.empty(shape, device=self._device)
        done = 0

        def record(output: torch.Tensor) -> None:
            nonlocal done
            first, prepended = self._state.first_step, self._state.prepended
            end = min(first + output.shape[1] - prepended, steps)
            if end > done:
                whole[:, done:end] = output[:clips, prepended + done - first : prepended + end - first]
                done = end

        return record

    def of(self, clip: int) -> dict[str, NDArray[np.float32]]:
        """By "<site>.<reduction>": (L, D), (L, segments, D) or (L, rows, D) of one clip of the batch."""
        first = self._alignment.first_step
        kept = slice(first, first + self._alignment.rows)
        arrays: dict[str, NDArray[np.float32]] = {}
        for site in self._spec.sites:
            layers = [self._whole[site, layer][clip : clip + 1, kept] for layer in self.layers_of(site)]
            for reduction in self._spec.reductions:
                reduced = [reduce_rows(rows, reduction, segments=self._spec.segments)[0] for rows in layers]
                arrays[f"{site}.{reduction}"] = torch.stack(reduced).float().cpu().numpy()
        return arrays
