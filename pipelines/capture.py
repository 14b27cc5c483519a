"""Record what a model computes at its points, reduced over time while it is on the device.

    with capture(model, spec, alignment) as captured:
        model.forward(codes, conditions)
    captured.arrays()["resid.mean"]  # (B, L, D)

Hooks only read, and are gone after the block, also after an error.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.models.delay import planned_alignment
from pipelines.models.protocol import PassLeft
from pipelines.reductions import reduce_rows, segment_bounds
from store.errors import InvalidInput
from store.records import REDUCTIONS, ArraySpec, check_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import torch

    from pipelines.models.delay import Alignment
    from pipelines.models.protocol import AudioEncoder, LoadedModel, Melody, Pass, ReadableModel
    from pipelines.number_range import RangeCounts
    from store.records import ModelInfo, Reduction, Site, SiteInfo


FRAMES_DTYPE = "float16"
"""As frames are stored where nobody chose."""


@dataclass(frozen=True, slots=True)
class CaptureSpec:
    """What to record."""

    sites: tuple[Site, ...]
    layers: tuple[int, ...]
    """Numbers 0 … L−1; a site that has one layer, as "embed" has, gives it whatever stands here."""
    reductions: tuple[Reduction, ...] = ("mean",)
    segments: int = 8
    """Bins of the reduction "segments"."""

    def __post_init__(self) -> None:
        for site in self.sites:
            check_site(site)
        _check_names("site", self.sites, self.sites)
        _check_names("reduction", self.reductions, REDUCTIONS)
        if not self.layers or len(set(self.layers)) != len(self.layers):
            raise InvalidInput(f"Layers must be distinct and at least one, not {list(self.layers)}.")
        if self.segments < 1:
            raise InvalidInput(f"{self.segments} segments: at least one is needed.")

    def layers_of(self, site: SiteInfo) -> tuple[int, ...]:
        """The layer numbers of a site's arrays."""
        return (0,) if site.layers == 1 else self.layers

    def last_block(self, info: ModelInfo) -> int:
        """The last block that a pass has to compute."""
        return max(layer for site in self.sites for layer in self.layers_of(info.site(site)))


def array_specs(info: ModelInfo, spec: CaptureSpec, frames: int) -> list[ArraySpec]:
    """The arrays that a capture of clips with `frames` codec frames fills, in the order site by site.

    Raises:
        InvalidInput: The model has no such layer or site, or the clips are too short.
    """
    check_capture(info, spec)
    rows = planned_alignment(info.delays, frames).rows
    if "segments" in spec.reductions and spec.segments > rows:
        raise InvalidInput(
            f"{spec.segments} segments do not fit into {rows} decoder steps. Use fewer, or longer clips."
        )
    return [_array_spec(info, spec, site, kept, rows) for site in spec.sites for kept in spec.reductions]


def check_capture(info: ModelInfo, spec: CaptureSpec) -> None:
    """Raise InvalidInput where `spec` asks for what the model does not have."""
    outside = [layer for layer in spec.layers if not 0 <= layer < info.layers]
    if outside:
        raise InvalidInput(f"Layer {outside[0]} is not in {info.name!r} (layers 0–{info.layers - 1}).")
    for site in map(info.site, spec.sites):
        lacking = [layer for layer in spec.layers_of(site) if layer >= site.layers]
        if lacking:
            raise InvalidInput(
                f"Layer {lacking[0]} of {info.name!r} has no site {site.name!r} (layers 0–{site.layers - 1})."
            )


@contextmanager
def capture(
    model: ReadableModel,
    spec: CaptureSpec,
    alignment: Alignment | None = None,
    *,
    counts: RangeCounts | None = None,
) -> Iterator[Captured]:
    """Record the passes made inside the block; a later pass overwrites an earlier one.

    Args:
        model: Its modules carry hooks inside the block, and only there.
        spec: What to record.
        alignment: Of the clips that pass: which decoder steps are kept. By default that of each pass, which
            has to be a whole one over a clip, as `LoadedModel.forward` or `AudioEncoder.hear` makes it.
        counts: Takes what leaves the range of the number format.

    Raises:
        InvalidInput: The model has no such layer or site.
    """
    check_capture(model.info, spec)
    captured = Captured(model.info, spec, alignment, counts)
    handles: list[Any] = []

    def begin(seen: Pass) -> None:
        start_steps = 1 if model.info.codebooks else 0  # which hold no frame
        captured.alignment = model.alignment(seen.steps - start_steps)

    try:
        if alignment is None:
            handles.append(model.on_pass(begin))
        for site in spec.sites:
            for position, layer in enumerate(captured.layers_of(site)):
                handles.append(model.point(site, layer).hook(captured.recorder(site, position)))
        yield captured
    finally:
        for handle in handles:
            handle.remove()


class Captured:
    """The reduced activations of the latest pass."""

    def __init__(
        self,
        info: ModelInfo,
        spec: CaptureSpec,
        alignment: Alignment | None,
        counts: RangeCounts | None = None,
    ) -> None:
        self._info, self._spec, self._counts = info, spec, counts
        self.leaves_when_whole = False
        """Whether a pass is left, by an exception, as soon as everything wanted of it is recorded."""
        self.alignment = alignment
        """Of the latest pass; None before the first."""
        self._arrays: dict[str, torch.Tensor] = {}
        self._missing = {(site, place) for site in spec.sites for place in range(len(self.layers_of(site)))}

    def layers_of(self, site: Site) -> tuple[int, ...]:
        """The layer numbers of a site's arrays."""
        return self._spec.layers_of(self._info.site(site))

    def recorder(self, site: Site, position: int) -> Callable[[torch.Tensor], None]:
        """A function that reduces an output (B, P + S, D) into the arrays of `site` at a layer's position."""

        def record(output: torch.Tensor) -> None:
            kept = self.alignment
            assert kept is not None  # a pass begins before its blocks do
            start = output.shape[1] - kept.steps + kept.first_step
            rows = output[:, start : start + kept.rows]
            if self._counts is not None:
                self._counts.add(site, self.layers_of(site)[position], rows)
            for reduction in self._spec.reductions:
                reduced = reduce_rows(rows, reduction, segments=self._spec.segments)
                self._array(site, reduction, reduced)[:, position].copy_(reduced)
            self._missing.discard((site, position))
            if self.leaves_when_whole and not self._missing:
                raise PassLeft

        return record

    @property
    def has_passed(self) -> bool:
        """Whether a whole pass was recorded."""
        return not self._missing

    def arrays(self) -> dict[str, torch.Tensor]:
        """By "<site>.<reduction>": float32 (B, L, D), (B, L, segments, D) or (B, L, rows, D), on the device.

        Raises:
            InvalidInput: No whole pass was made yet.
        """
        if self._missing:
            raise InvalidInput("Nothing is recorded yet: make a whole pass inside the `capture` block first.")
        return dict(self._arrays)

    def _array(self, site: Site, reduction: Reduction, reduced: torch.Tensor) -> torch.Tensor:
        """Allocated whole at the first layer, so that `frames` are copied once and never joined."""
        import torch

        name = f"{site}.{reduction}"
        shape = (len(reduced), len(self.layers_of(site)), *reduced.shape[1:])
        if name not in self._arrays or self._arrays[name].shape != shape:
            self._arrays[name] = torch.empty(shape, dtype=torch.float32, device=reduced.device)
        return self._arrays[name]


def forward_activations(
    model: LoadedModel,
    codes: np.ndarray[Any, Any] | torch.Tensor,
    spec: CaptureSpec,
    texts: Sequence[str] | None = None,
    *,
    melody: Melody = None,
    counts: RangeCounts | None = None,
) -> dict[str, torch.Tensor]:
    """One teacher-forced pass over a batch of clips.

    Args:
        model: A loaded model.
        codes: Integers (B, K, T) as the codec gave them: the delay pattern is applied here, and only here.
        spec: What to keep.
        texts: One text condition per clip; None or empty texts mean no condition.
        melody: Samples (samples,) at the model's rate, which condition all clips; or such samples for each
            clip, None for a clip without.
        counts: Takes what leaves the range of the number format.

    Returns:
        As `Captured.arrays`. What comes after the last point wanted is not computed.

    Raises:
        InvalidInput: Codes, texts and specification do not fit the model or each other.
    """
    batch = _codes_on_device(model, codes)
    if texts is not None and len(texts) != len(batch):
        raise InvalidInput(f"{len(texts)} texts for {len(batch)} clips: give one per clip, or none.")
    alignment = model.alignment(batch.shape[-1])
    groups = model.conditions.groups(texts or [""] * len(batch), melody)
    parts = []
    for members, conditions in groups:
        with capture(model, spec, alignment, counts=counts) as captured:
            captured.leaves_when_whole = True
            with suppress(PassLeft):
                model.forward(batch if len(groups) == 1 else batch[members], conditions)
        parts.append((members, captured.arrays()))
    return parts[0][1] if len(parts) == 1 else _reassembled(parts, len(batch))


def heard_activations(
    model: AudioEncoder,
    audio: np.ndarray[Any, Any] | torch.Tensor,
    spec: CaptureSpec,
    *,
    counts: RangeCounts | None = None,
) -> dict[str, torch.Tensor]:
    """One pass of an encoder over a batch of clips (B, samples), equally long, at its rate.

    Returns:
        As `Captured.arrays`. What comes after the last point wanted is not computed.

    Raises:
        InvalidInput: Audio and specification do not fit the model.
    """
    import torch

    with capture(model, spec, counts=counts) as captured:
        captured.leaves_when_whole = True
        with suppress(PassLeft):
            model.hear(torch.as_tensor(audio)[:, None])
    return captured.arrays()


def _reassembled(
    parts: list[tuple[list[int], dict[str, torch.Tensor]]], clips: int
) -> dict[str, torch.Tensor]:
    whole = {name: array.new_empty((clips, *array.shape[1:])) for name, array in parts[0][1].items()}
    for members, arrays in parts:
        for name, array in arrays.items():
            whole[name][members] = array
    return whole


def _codes_on_device(model: LoadedModel, codes: np.ndarray[Any, Any] | torch.Tensor) -> torch.Tensor:
    import torch

    given = torch.as_tensor(codes)
    info = model.info
    if given.ndim != 3 or given.shape[1] != info.codebooks or given.is_floating_point():
        raise InvalidInput(
            f"Codes must be integers of shape (B, {info.codebooks}, T), not {tuple(given.shape)}."
        )
    # Checked on the host only: reading a maximum from a GPU would wait for all work queued there.
    if (
        given.device.type == "cpu"
        and given.numel()
        and not 0 <= given.min() <= given.max() < info.codebook_size
    ):
        raise InvalidInput(
            f"Codes must lie in 0–{info.codebook_size - 1}, not {int(given.min())}–{int(given.max())}: "
            f"give the codec's own, without start tokens or fill values."
        )
    return given.to(model.device, non_blocking=True)


def _array_spec(info: ModelInfo, spec: CaptureSpec, site: Site, reduction: Reduction, rows: int) -> ArraySpec:
    described = info.site(site)
    layers = spec.layers_of(described)
    axes: dict[str, int] = {"layer": len(layers)}
    attributes: dict[str, Any] = {
        "site": site,
        "reduction": reduction,
        "layers": list(layers),
        "units": "activation",
    }
    if reduction == "segments":
        axes["segment"] = spec.segments
        attributes["segment_first_rows"] = segment_bounds(rows, spec.segments)[:-1]
    if reduction == "frames":
        axes["time"] = rows
        attributes["first_row_step"] = planned_alignment(
            info.delays, rows + max(info.delays, default=0)
        ).first_step
    axes["feature"] = described.width
    if described.heads > 1:
        attributes["heads"] = described.heads
    return ArraySpec(
        name=f"{site}.{reduction}",
        dimensions=tuple(axes),
        shape=tuple(axes.values()),
        dtype=FRAMES_DTYPE if reduction == "frames" else "float32",
        attributes=attributes,
    )


def _check_names(kind: str, given: tuple[str, ...], legal: tuple[str, ...]) -> None:
    unknown = [name for name in given if name not in legal]
    if unknown or not given or len(set(given)) != len(given):
        raise InvalidInput(
            f"{kind.capitalize()}s {list(given)} are not legal. Choose from {', '.join(legal)}, each once."
        )
