"""Steering: a context manager that edits activations at chosen sites and layers as they are computed.

    with steer(model, Steering((Edit("resid", 5, vector, alpha=0.5),)), frames=320):
        model.forward(codes, conditions)

Edits are hooks that return new tensors; nothing remains after the block, also after an error. They act in
teacher-forced passes, in streaming generation, ours and audiocraft's own, and in passes that fill the cache
anew for a later window. Which edit acts how strongly depends on the frame a step predicts, which is read off
the streaming offset and never counted.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from pipelines.steering.edits import KINDS, SCALINGS, Edit, Steering, check_edit
from pipelines.steering.fused_edits import FusedEdits
from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from pipelines.models.protocol import LoadedModel, Pass
    from store.records import Site


@contextmanager
def steer(
    model: LoadedModel,
    steering: Steering | Sequence[Steering],
    *,
    frames: int | None = None,
    prompt_frames: int = 0,
    guided: bool = False,
) -> Iterator[SteeringState]:
    """Edit the activations of all passes made inside the block.

    Args:
        model: Its modules carry hooks inside the block, and only there.
        steering: One for every clip of a batch, or one each.
        frames: T, prompt included; by default as many as the model was trained for.
        prompt_frames: How many of them are an audio prompt, edited only where a steering says so.
        guided: The passes hold, after the rows with conditions, as many without (classifier-free guidance).

    Raises:
        InvalidInput: An edit does not fit the model, or its vector was found elsewhere.
    """
    info = model.info
    info.require("steer")
    planned = frames or math.ceil(info.max_seconds * info.frame_rate)
    state = SteeringState(model, steering, frames=planned, prompt_frames=prompt_frames, guided=guided)
    handles: list[Any] = []
    try:
        handles.append(model.on_pass(state.see_pass))
        handles.extend(model.point(*place).hook(partial(state.edited, *place)) for place in state.places())
        yield state
    finally:
        for handle in handles:
            handle.remove()


class SteeringState:
    """Where the passes of a `steer` block are, and the edits for them."""

    def __init__(
        self,
        model: LoadedModel,
        steering: Steering | Sequence[Steering],
        *,
        frames: int,
        prompt_frames: int,
        guided: bool,
    ) -> None:
        self._model = model
        self._shared = steering if isinstance(steering, Steering) else None
        self._steerings = (steering,) if isinstance(steering, Steering) else tuple(steering)
        self._frames = frames
        self._prompt_frames = prompt_frames
        self._guided = guided
        for edit in (edit for one in self._steerings for edit in one.edits):
            check_edit(edit, model.info)
        self.window_start = 0
        """Frame at which the present window begins, in generation beyond the model's segment."""
        self.first_step = 0
        """Decoder step at which the pass begins, counted from the beginning of the whole generation."""
        self.prepended = 0
        """P: conditions that stand before the steps of this pass."""
        self._fused: dict[tuple[int, Site, int], list[FusedEdits]] = {}

    def places(self) -> list[tuple[Site, int]]:
        """Sites and layers at which anything is to be edited."""
        return sorted({edit.place for one in self._steerings for edit in one.edits})

    def see_pass(self, seen: Pass) -> None:
        """Note where in the sequence a pass is that begins."""
        self.prepended = seen.prepended
        self.first_step = self.window_start + seen.first_step

    def edited(self, site: Site, layer: int, activations: torch.Tensor) -> torch.Tensor | None:
        """Activations (rows, P + steps, D) with the edits of this place, new; None where nothing changes."""
        result = activations
        for fused in self._fused_edits(site, layer, len(activations)):
            result = fused.apply(result, first=self.first_step, prepended=self.prepended)
        return None if result is activations else result

    def _fused_edits(self, site: Site, layer: int, rows: int) -> list[FusedEdits]:
        key = (rows, site, layer)
        if key not in self._fused:
            self._fused[key] = list(self._fuse(site, layer, rows))
        return self._fused[key]

    def _fuse(self, site: Site, layer: int, rows: int) -> Iterator[FusedEdits]:
        steerings = self._per_clip(rows)
        heads = {edit.head for one in steerings for edit in one.edits if edit.place == (site, layer)}
        for head, kind, scaling, oblique in product(heads, KINDS, SCALINGS, (False, True)):
            chosen = {
                row: edits
                for row, one in enumerate(steerings)
                if (edits := [e for e in one.edits if _is(e, site, layer, head, kind, scaling, oblique)])
            }
            if chosen:
                yield self._fused_of(chosen, steerings, rows)

    def _fused_of(
        self, chosen: dict[int, list[Edit]], steerings: Sequence[Steering], rows: int
    ) -> FusedEdits:
        second = {
            clip + rows // 2: clip for clip in chosen if self._guided and steerings[clip].rows == "both"
        }
        clip_of = {clip: clip for clip in chosen} | second
        return FusedEdits(
            {row: chosen[clip] for row, clip in clip_of.items()},
            origins={row: self._origin(steerings[clip]) for row, clip in clip_of.items()},
            rows=rows,
            frames=self._frames,
            info=self._model.info,
            width=len(next(iter(chosen.values()))[0].vector),
            device=self._model.device,
        )

    def _origin(self, steering: Steering) -> int:
        """The frame at which schedules begin, before which nothing is edited."""
        return 0 if steering.steer_prompt else self._prompt_frames

    def _per_clip(self, rows: int) -> tuple[Steering, ...]:
        clips = rows // 2 if self._guided else rows
        steerings = (self._shared,) * clips if self._shared is not None else self._steerings
        if len(steerings) != clips or (self._guided and rows % 2):
            raise InvalidInput(
                f"{len(self._steerings)} steerings do not fit a pass of {rows} rows"
                f"{', half of them without conditions' if self._guided else ''}: give one for each clip."
            )
        return steerings


def _is(edit: Edit, site: Site, layer: int, *form: object) -> bool:
    return edit.place == (site, layer) and (edit.head, edit.kind, edit.scaling, edit.oblique) == form
