"""The delay pattern: how T codec frames in K codebooks become S decoder steps, and back.

MusicGen's delay pattern puts frame t of codebook k at step t + k + 1, step 0 being the start token:

    step        0  1  2  3  4  5      T = 5, K = 3, S = T + 1; · is the special token
    codebook 0  ·  0  1  2  3  4
    codebook 1  ·  ·  0  1  2  3
    codebook 2  ·  ·  ·  0  1  2
    kept                 x  x  x      every codebook holds a real token: T − K + 1 rows

All numbers are read off the pattern that the model itself brings, so another pattern gives another alignment.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from store.errors import InvalidInput, ModelError

if TYPE_CHECKING:  # the command line reads alignments without paying for torch
    from collections.abc import Mapping, Sequence

    import torch

    from store.records import ModelInfo


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which decoder steps of a teacher-forced pass are kept, and which frames they hold."""

    frames: int
    """T, codec frames of the clip."""
    codebooks: int
    """K."""
    steps: int
    """S, decoder steps of the pass, the start step included."""
    first_step: int
    """The step of row 0: the first at which every codebook holds a real token."""
    rows: int
    """Kept steps; row r is step first_step + r."""
    step_minus_frame: tuple[int, ...]
    """Per codebook: at step s, codebook k holds frame s − step_minus_frame[k]; () of a model without codes,
    whose row r is frame r."""

    def step_of_row(self, row: int) -> int:
        """The decoder step that row `row` of a `frames` array was taken from."""
        return self.first_step + row

    def frames_of_row(self, row: int) -> tuple[int, ...]:
        """The frame each codebook holds at that row; the last to arrive is the row's own number."""
        return tuple(self.step_of_row(row) - shift for shift in self.step_minus_frame)

    def to_json(self) -> dict[str, Any]:
        """What stands in run.json."""
        return {**asdict(self), "step_minus_frame": list(self.step_minus_frame)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Alignment:
        """The inverse of `to_json`."""
        return cls(**{**document, "step_minus_frame": tuple(document["step_minus_frame"])})


def planned_alignment(delays: tuple[int, ...], frames: int) -> Alignment:
    """The alignment of a delay pattern, from the delays that a checkpoint's configuration states.

    Needs no model; loading one compares this with what `align` reads off the real pattern.

    Raises:
        InvalidInput: The clip is too short for a single step at which every codebook holds a token.
    """
    if not delays and frames > 0:  # no codes: every frame is a row
        return Alignment(frames, codebooks=0, steps=frames, first_step=0, rows=frames, step_minus_frame=())
    rows = frames - max(delays, default=0) + min(delays, default=0)
    if rows < 1:
        raise _too_short(frames, len(delays))
    return Alignment(
        frames=frames,
        codebooks=len(delays),
        steps=frames + 1,
        first_step=max(delays) + 1,
        rows=rows,
        step_minus_frame=tuple(delay + 1 for delay in delays),
    )


@lru_cache(maxsize=64)
def align(pattern_provider: Any, frames: int) -> Alignment:
    """Read the alignment of `frames` codec frames off audiocraft's pattern provider.

    Raises:
        InvalidInput: The clip is too short for a single step at which every codebook holds a token.
        ModelError: The pattern has no fixed distance between steps and frames.
    """
    codebooks = int(pattern_provider.n_q)
    layout = pattern_provider.get_pattern(frames).valid_layout if frames > 0 else []
    whole = [step for step, held in enumerate(layout) if _is_whole(held, codebooks, frames)]
    if not whole:
        raise _too_short(frames, codebooks)
    shifts = {tuple(step - token.t for token in sorted(layout[step], key=lambda c: c.q)) for step in whole}
    if len(shifts) != 1 or whole != list(range(whole[0], whole[0] + len(whole))):
        raise ModelError(
            f"The codebook pattern {type(pattern_provider).__name__} has no fixed distance between decoder "
            f"steps and frames; models with a delay or a parallel pattern are supported."
        )
    return Alignment(
        frames=frames,
        codebooks=codebooks,
        steps=len(layout),
        first_step=whole[0],
        rows=len(whole),
        step_minus_frame=shifts.pop(),
    )


def interleave(pattern_provider: Any, codes: torch.Tensor, special_token: int) -> torch.Tensor:
    """From the codec's codes (B, K, T) to the decoder's input (B, K, S); to be applied exactly once."""
    pattern = pattern_provider.get_pattern(codes.shape[-1])
    sequence: torch.Tensor = pattern.build_pattern_sequence(
        codes.contiguous(), special_token, keep_only_valid_steps=True
    )[0]
    return sequence


def delayed(codes: torch.Tensor, delays: Sequence[int], special_token: int) -> torch.Tensor:
    """Codes (B, K, n) in the decoder's order (B, K, n + 1 + the longest delay)."""
    batch, codebooks, frames = codes.shape
    sequence = codes.new_full((batch, codebooks, frames + 1 + max(delays)), special_token)
    for k, delay in enumerate(delays):
        sequence[:, k, delay + 1 : delay + 1 + frames] = codes[:, k]
    return sequence


def _is_whole(held: list[Any], codebooks: int, frames: int) -> bool:
    return len(held) == codebooks and all(token.t < frames for token in held)


def _too_short(frames: int, codebooks: int) -> InvalidInput:
    if not codebooks:
        return InvalidInput("A clip is shorter than one frame of the encoder. Use longer clips.")
    return InvalidInput(
        f"A clip of {frames} codec frames is too short: {codebooks} delayed codebooks never hold a token at "
        f"the same decoder step. Use longer clips."
    )


def frames_of(info: ModelInfo, clip_seconds: float) -> int:
    """T: frames of a clip of that length; a started one counts, unless the model hears whole ones alone."""
    samples = round(clip_seconds * info.sample_rate)
    if info.reach_samples:
        hop = round(info.sample_rate / info.frame_rate)
        return max(0, (samples - info.reach_samples) // hop + 1)
    return math.ceil(round(samples * info.frame_rate / info.sample_rate, 6))


def alignment_for(info: ModelInfo, clip_seconds: float) -> Alignment:
    """Frames and decoder steps of a clip of that length.

    Raises:
        InvalidInput: The clip is too short for the delay pattern, or longer than the model was trained for.
    """
    if clip_seconds > info.max_seconds:
        raise InvalidInput(
            f"Clips of {clip_seconds:g} s are longer than the {info.max_seconds:g} s that {info.name!r} was "
            f"trained for. Cut shorter clips (dataset add --clip-seconds)."
        )
    return planned_alignment(info.delays, frames_of(info, clip_seconds))
