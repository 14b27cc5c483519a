"""A torch module of a user's own as an audio encoder: seen in a trial pass, hooked by names of modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch

from pipelines.models.delay import frames_of
from pipelines.models.encoders.encoder import TransformersEncoder
from pipelines.models.encoders.family import EncoderShape
from pipelines.models.fingerprints import fingerprint
from pipelines.models.own_code import OwnModule, users_code
from pipelines.models.protocol import Point
from store.errors import InvalidInput, ModelError
from store.records import ModelInfo, SiteInfo, check_site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.models.torch_module import Hooked, TorchModel
    from store.records import Site

TRIAL_CLIPS, TRIAL_SECONDS = 2, 1.0
"""Of the noise that a module hears once before all else: widths and frames are those of that pass."""


def describe_own_module(own: OwnModule) -> ModelInfo:
    """What a user's module is, for which it is loaded and hears a second of noise; kept per file.

    Raises:
        ModelError: its code raises something, or does not do what its description says.
    """
    return _described(own)


@lru_cache(maxsize=4)
def _described(own: OwnModule) -> ModelInfo:
    return load_own_module(own, device="cpu", dtype="float32").info


def load_own_module(own: OwnModule, *, device: str, dtype: str) -> TransformersEncoder:
    """Load a user's module; its weights stay as they are, and a lower type is that of autocast.

    Raises:
        ModelError: its code raises something, or does not do what its description says.
    """
    given = own.described()
    _check(given, own.file)
    with users_code(own.file), torch.random.fork_rng(devices=[]):
        torch.default_generator.seed()  # so that weights without a seed of their own are never twice the same
        module = given.load()
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"{own.file}: load() gives a {type(module).__name__}, and no torch.nn.Module.")
    module = module.to(device).eval().requires_grad_(requires_grad=False)
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    broken = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if broken:
        raise ModelError(f"{own.file}: its module holds NaN or infinity in {broken[0]}.")
    names = {site: _matching(module, given.hooked(site), site, own.file) for site in given.sites}
    info = _info(own, given, names, fingerprint({"code": own.sha256}, state))
    family = OwnFamily(own, given, names)
    encoder = TransformersEncoder(
        info=info,
        part=_Called(module, given, own.file),
        family=family,
        config=None,
        extractor=None,
        device=torch.device(device),
        dtype=getattr(torch, dtype),
        library="torch",
    )
    return replace(encoder, info=replace(info, **_seen_in_a_trial(encoder, family)))


@dataclass(frozen=True, slots=True)
class OwnFamily:
    """One user's module, in the form that families of encoders have."""

    own: OwnModule
    given: TorchModel
    names: Mapping[str, Sequence[str]]
    """By site, its modules, one per layer."""
    has_extractor: bool = False

    def shape(self, config: Any, extractor: Any) -> EncoderShape:
        """Rates; widths are known after a pass."""
        given = self.given
        return EncoderShape((), given.sample_rate, given.frame_rate, given.max_seconds, given.reach_samples)

    def part(self, model: Any) -> torch.nn.Module:
        """All of it."""
        return _Called(model, self.given, self.own.file)

    def inputs(self, config: Any, extractor: Any, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
        """The samples themselves: the user's own code makes inputs of them, where the module is."""
        return {"audio": torch.from_numpy(audio)}

    def point(self, part: Any, config: Any, site: Site, layer: int) -> Point:
        """The module that the user named."""
        hooked, name = self.given.hooked(site), self.names[site][layer]
        view = partial(self.states, hooked, f"{site!r} ({name or 'the whole module'})", part)
        return Point(part.module.get_submodule(name), hooked.side, view=view)

    def states(self, hooked: Hooked, what: str, part: _Called, passed: Any) -> torch.Tensor:
        """Activations (B, frames, D) of what a module takes or gives.

        Raises:
            ModelError: that is no tensor with clips and frames, or has another number of them.
        """
        with users_code(self.own.file):
            found = _first(passed) if hooked.read is None else hooked.read(passed)
        axis = self.given.time_axis if hooked.time_axis is None else hooked.time_axis
        if not isinstance(found, torch.Tensor) or found.ndim <= axis or found.shape[0] != part.clips:
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
            raise ModelError(
                f"{self.own.file}: {what} gives {shape} for {part.clips} clips. It has to be a tensor with "
                f"the clips first and time at axis {axis}: set time_axis, or Hooked(…, read=…)."
            )
        frames, expected = found.shape[axis], frames_of_samples(self.given, part.samples)
        if frames < expected or (frames > expected and not self.given.pads):
            raise ModelError(
                f"{self.own.file}: {what} gives {frames} frames for {part.samples} samples, and frame_rate "
                f"{self.given.frame_rate:g} means {expected}. Correct frame_rate, reach_samples or time_axis"
                + ("." if frames < expected else ", or say pads=True if the rest is padding.")
            )
        return found.movedim(axis, 1).reshape(part.clips, frames, -1)


class _Called(torch.nn.Module):
    """The user's module, called with audio."""

    def __init__(self, module: torch.nn.Module, given: TorchModel, file: Path) -> None:
        super().__init__()
        self.module = module
        self._given, self._file = given, file
        self.clips = self.samples = 0

    def forward(self, audio: torch.Tensor) -> None:
        self.clips, self.samples = audio.shape
        with users_code(self._file):
            made = audio if self._given.inputs is None else self._given.inputs(audio)
            if isinstance(made, dict):
                self.module(**made)
            else:
                self.module(*(made if isinstance(made, tuple) else (made,)))


def frames_of_samples(given: TorchModel, samples: int) -> int:
    """Frames of a clip, by what the description says."""
    return frames_of(_rates(given), samples / given.sample_rate)


@lru_cache(maxsize=4)
def _empty_info(sample_rate: int, frame_rate: float, reach_samples: int) -> ModelInfo:
    return ModelInfo(
        name="", fingerprint="", codec_fingerprint="", layers=1, width=1, codebooks=0, codebook_size=0,
        frame_rate=frame_rate, sample_rate=sample_rate, random_weights=False, reach_samples=reach_samples,
    )  # fmt: skip


def _rates(given: TorchModel) -> ModelInfo:
    return _empty_info(given.sample_rate, float(given.frame_rate), given.reach_samples)


def _info(own: OwnModule, given: TorchModel, names: Mapping[str, Sequence[str]], identity: str) -> ModelInfo:
    """All that is known before a pass."""
    return replace(
        _rates(given),
        name=own.name,
        fingerprint=identity,
        layers=max(map(len, names.values())),
        max_seconds=float(given.max_seconds),
        cross_attention=False,
        sites=tuple(SiteInfo(site, len(found), 1) for site, found in names.items()),
        abilities=(),
        takes_text=False,
        licence=given.licence,
        code=((own.file.name, own.sha256),),
    )


def _seen_in_a_trial(encoder: TransformersEncoder, family: OwnFamily) -> dict[str, Any]:
    """Sites with their widths, of a pass over noise."""
    given, widths, calls = family.given, dict[tuple[str, int], int](), Counter[tuple[str, int]]()

    def see(place: tuple[str, int], rows: torch.Tensor) -> None:
        widths[place] = rows.shape[-1]
        calls[place] += 1

    places = [(site, layer) for site, names in family.names.items() for layer in range(len(names))]
    handles = [encoder.point(*place).hook(partial(see, place)) for place in places]
    seconds = min(max(TRIAL_SECONDS, 2 * given.reach_samples / given.sample_rate), given.max_seconds)
    noise = torch.randn(
        TRIAL_CLIPS, 1, round(seconds * given.sample_rate), generator=torch.Generator().manual_seed(0)
    )
    try:
        encoder.hear(0.1 * noise)
    finally:
        for handle in handles:
            handle.remove()
    for site, layer in places:
        name = family.names[site][layer] or "the whole module"
        if (count := calls[site, layer]) != 1:
            often = "never" if not count else f"{count} times"
            raise ModelError(
                f"{family.own.file}: the site {site!r} is {name}, which is called {often} in a pass. Hook "
                "modules that are called once."
            )
        if widths[site, layer] != widths[site, 0]:
            raise ModelError(
                f"{family.own.file}: {name} has {widths[site, layer]} features and {family.names[site][0]} "
                f"{widths[site, 0]}. Layers of one site ({site!r}) are equally wide: make several sites."
            )
    sites = tuple(SiteInfo(site, len(names), widths[site, 0]) for site, names in family.names.items())
    return {"sites": sites, "width": sites[-1].width}


def _matching(module: torch.nn.Module, hooked: Hooked, site: str, file: Path) -> list[str]:
    """Names of the modules of a site, in the module's own order."""
    wanted = hooked.modules.split(".")
    every = [name for name, _ in module.named_modules()]
    found = [
        name
        for name in every
        if len(parts := name.split(".")) == len(wanted) and all(map(fnmatchcase, parts, wanted))
    ]
    if not found:
        shown = ", ".join([name for name in every if name][:12])
        raise ModelError(
            f"{file}: no module of it is called {hooked.modules!r} (site {site!r}). It has {shown} …; "
            "print(dict(module.named_modules()).keys()) shows all."
        )
    return found


def _check(given: TorchModel, file: Path) -> None:
    """Refuse a description that means nothing; the user's code need not be typed."""
    sites: object = given.sites
    if not isinstance(sites, Mapping) or not sites:
        raise ModelError(
            f"{file}: sites is {sites!r}. It has to be a dictionary with at least one site: "
            '{"resid": "blocks.*"}.'
        )
    for site, said in sites.items():
        try:
            check_site(str(site))
        except InvalidInput as error:
            raise ModelError(f"{file}: {error}") from error
        if not isinstance(getattr(said, "modules", said), str):
            raise ModelError(
                f"{file}: the site {site!r} is {said!r}. It has to be the name of modules, or Hooked(…)."
            )
    numbers = {
        name: getattr(given, name) for name in ("sample_rate", "frame_rate", "max_seconds", "reach_samples")
    }
    whole = ("sample_rate", "reach_samples")
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int if name in whole else int | float):
            raise ModelError(
                f"{file}: {name} is {value!r}; it has to be a{' whole' * (name in whole)} number."
            )
    if given.sample_rate < 1 or not 0 < given.frame_rate <= given.sample_rate:
        raise ModelError(
            f"{file}: sample_rate {given.sample_rate!r} and frame_rate {given.frame_rate!r} are samples "
            "(whole) and frames a second, more than 0."
        )
    if given.max_seconds <= 0 or given.reach_samples < 0:
        raise ModelError(f"{file}: max_seconds has to be more than 0, and reach_samples 0 or more.")
    axes: set[object] = {given.time_axis, *(given.hooked(site).time_axis or 1 for site in given.sites)}
    if not all(isinstance(axis, int) and axis >= 1 for axis in axes):
        raise ModelError(f"{file}: time_axis {axes} is no axis of time: clips have axis 0.")


def _first(passed: Any) -> Any:
    return passed[0] if isinstance(passed, tuple | list) else passed
