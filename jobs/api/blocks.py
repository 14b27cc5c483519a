"""Python's `capture` and `steer`: context managers that record or edit a model's activations."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from jobs.api.directions import Direction
from jobs.api.keywords import SteeredPasses, documented
from jobs.api.values import Layers, Names, one_each
from jobs.generate.options import GenerateOptions
from store.errors import InvalidInput
from store.records import REDUCTIONS

if TYPE_CHECKING:
    from pipelines.capture import Captured, CaptureSpec
    from pipelines.generation.generate import GeneratedAudio
    from pipelines.models.protocol import LoadedModel
    from pipelines.steering.edits import Edit, Steering
    from store.records import Reduction

Steerable = Direction | Sequence[Direction]


class Seen:
    """What a `capture` block has seen: the activations of its latest pass, or of its latest generation."""

    def __init__(self, model: "LoadedModel", spec: "CaptureSpec") -> None:
        self._model, self._spec = model, spec
        self._captured: Captured | None = None
        self._kept: dict[str, NDArray[np.float32]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What can be read: "<site>.<reduction>"."""
        return tuple(f"{site}.{kept}" for site in self._spec.sites for kept in self._spec.reductions)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that are captured, in the order of the arrays' second axis."""
        return self._spec.layers

    @property
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """By "<site>.<reduction>": (B, L, D), (B, L, segments, D) or (B, L, time, D), float32.

        Raises:
            InvalidInput: nothing has passed yet.
        """
        if self._captured is not None and self._captured.has_passed:
            found = self._captured.arrays()
            return {name: found[name].cpu().numpy() for name in self.names}
        if self._kept is None:
            raise InvalidInput("Nothing is recorded yet: make a pass inside the `capture` block first.")
        return self._kept

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """One array, see `arrays`."""
        if name not in self.names:
            raise InvalidInput(f"{name!r} is not captured; captured are {', '.join(self.names)}.")
        return self.arrays[name]

    def layer(self, name: str, layer: int) -> NDArray[np.float32]:
        """One layer of an array: (B, D), (B, segments, D) or (B, time, D).

        Args:
            name: "<site>.<reduction>".
            layer: the model's number of the layer.

        Raises:
            InvalidInput: it is not captured, or nothing has passed yet.
        """
        layers = self._spec.layers_of(self._model.info.site(name.split(".", maxsplit=1)[0]))
        if layer not in layers:
            raise InvalidInput(f"Layer {layer} is not captured; captured are {list(layers)}.")
        return self[name][:, layers.index(layer)]

    def __repr__(self) -> str:
        try:
            arrays = ", ".join(f"{name} {array.shape}" for name, array in self.arrays.items())
        except InvalidInput:
            arrays = "nothing yet"
        return f"Seen({arrays})"

    @contextmanager
    def recording(self) -> Iterator[None]:
        """While the block lasts, passes are recorded."""
        from pipelines.capture import capture as recorded

        with recorded(self._model, self._spec) as captured:
            self._captured = captured  # anew after each generation, so what it holds is newer
            yield

    def take(self, generated: "Sequence[GeneratedAudio]") -> None:
        """Keep what was recorded while sounds were made."""
        self._kept = {name: np.stack([one.activations[name] for one in generated]) for name in self.names}

    @property
    def spec(self) -> "CaptureSpec":
        """What is recorded."""
        return self._spec


@dataclass(slots=True)
class Block:
    """What blocks around a model ask for, and the hooks that make it true of its passes."""

    model: "LoadedModel"
    seen: Seen | None = None
    steering: "Steering | None" = None
    hooks: ExitStack = field(default_factory=ExitStack)

    def attach(self) -> None:
        """Hook the model; edits first, so that what is recorded is what they made."""
        from pipelines.steering.steer import steer as steering

        if self.steering is not None:
            self.hooks.enter_context(steering(self.model, self.steering))
        if self.seen is not None:
            self.hooks.enter_context(self.seen.recording())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The model without hooks: generations bring their own."""
        self.hooks.close()
        try:
            yield
        finally:
            self.attach()


_BLOCKS: ContextVar[tuple[Block, ...]] = ContextVar("blocks", default=())


def block_of(model: "LoadedModel") -> Block | None:
    """What blocks around a model ask for; None outside of any."""
    return next((one for one in _BLOCKS.get() if one.model is model), None)


@contextmanager
def _inside(model: "LoadedModel", **asked: Any) -> Iterator[None]:
    """A block around a model; a second one joins the first, and neither may be asked for twice."""
    outer = block_of(model)
    before = {} if outer is None else {"seen": outer.seen, "steering": outer.steering}
    if any(before.get(name) is not None for name in asked):
        what = "steered" if "steering" in asked else "captured"
        raise InvalidInput(
            f"This model is {what} already: leave that block first, or give everything to one block."
        )
    if outer is not None:
        outer.hooks.close()
    block = Block(model, **(before | asked))
    token = _BLOCKS.set((block, *_BLOCKS.get()))
    try:
        block.attach()
        yield
    finally:
        block.hooks.close()
        _BLOCKS.reset(token)
        if outer is not None:
            outer.attach()


@contextmanager
def capture(
    model: "LoadedModel",
    *,
    sites: Names = "resid",
    layers: Layers = None,
    reductions: Names = "mean",
    segments: int = 10,
) -> Iterator[Seen]:
    """Record the activations of all passes inside the block: of `forward`, of `generate`, of the model's own.

    Args:
        model: a loaded model; it carries hooks inside the block, and only there.
        sites: some of `model.info.site_names`, of a MusicGen "embed", "resid", "attn", "head" (what its heads
            give, side by side), "xattn", "mlp"; None for all.
        layers: numbers of layers, such as range(4, 8); None for all.
        reductions: what is kept over time, from "mean", "std", "last", "segments", "frames".
        segments: bins of the reduction "segments".

    Raises:
        InvalidInput: the model has no such site or layer.

    Examples:
        >>> with capture(model, sites=["resid"], layers=[3]) as seen:
        ...     _ = forward(model, np.zeros(16000, np.float32))
        >>> seen["resid.mean"].shape
        (1, 1, 128)
    """
    from pipelines.capture import CaptureSpec, check_capture

    spec = CaptureSpec(
        _names(sites, model.info.site_names),
        _layers(model, layers),
        cast("tuple[Reduction, ...]", _names(reductions, REDUCTIONS)),
        segments,
    )
    check_capture(model.info, spec)
    seen = Seen(model, spec)
    with _inside(model, seen=seen):
        yield seen


@documented(SteeredPasses, GenerateOptions)
@contextmanager
def steer(
    model: "LoadedModel",
    directions: Steerable,
    *,
    alpha: float | Sequence[float] = 0.5,
    schedule: str | Sequence[str] = "constant",
    **given: Unpack[SteeredPasses],
) -> Iterator[None]:
    """Steer all passes inside the block along directions: of `generate`, of `forward`, of the model's own.

    Args:
        model: a loaded model; it carries hooks inside the block, and only there.
        directions: one, or several, which are fused where they share a place.
        alpha: strength, one for all or one each.
        schedule: over time, one for all or one each, such as "linear-down:4,every:5".

    Raises:
        InvalidInput: a direction does not fit the model, or was found elsewhere; or a strength is not legal.

    Examples:
        >>> with steer(model, direction.at("resid", 3), alpha=0.5):
        ...     sound = generate(model, "rock", seconds=1, seed=0)
    """
    from pipelines.steering.edits import MANNER, Steering, check_edit

    chosen = (directions,) if isinstance(directions, Direction) else tuple(directions)
    passes: dict[str, Any] = {name: value for name, value in given.items() if name not in MANNER}
    manner: dict[str, Any] = {name: value for name, value in given.items() if name in MANNER}
    edits: list[Edit] = [
        one.edit(strength, schedule=when, **manner)
        for one, strength, when in zip(
            chosen,
            one_each(alpha, len(chosen), "alpha"),
            one_each(schedule, len(chosen), "schedule"),
            strict=True,
        )
    ]
    for edit in edits:
        check_edit(edit, model.info)
    with _inside(model, steering=Steering(tuple(edits), **passes)):
        yield


def _names(names: Names, known: Sequence[str]) -> tuple[str, ...]:
    if names is None:
        return tuple(known)
    return (names,) if isinstance(names, str) else tuple(names)


def _layers(model: "LoadedModel", layers: Layers) -> tuple[int, ...]:
    if layers is None:
        return tuple(range(model.info.layers))
    return (layers,) if isinstance(layers, int) else tuple(int(one) for one in layers)
