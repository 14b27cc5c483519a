"""The frozen records that travel between folders, and nothing else.

`pipelines` and `analysis` may import this module and `store.errors`, no other part of `store`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Generic, Literal, TypeVar

from store.errors import InvalidInput, redacted

Found = TypeVar("Found")
Label = str | int | float | bool | None
ClipState = Literal["ok", "silent", "failed"]
Site = str
"""A kind of place in a model, by the name that the model gives it; its layers are numbered from 0."""
Reduction = Literal["mean", "std", "last", "segments", "frames"]

Ability = Literal["encode", "generate", "steer"]

SITES: tuple[Site, ...] = ("embed", "resid", "attn", "head", "xattn", "mlp")
"""Sites of a transformer's decoder, in the order in which they are shown; a model may report others."""
REDUCTIONS: tuple[Reduction, ...] = ("mean", "std", "last", "segments", "frames")
_SITE_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def check_site(name: str) -> str:
    """The name of a site, once it can be one; which sites there are, a model or a run says.

    Raises:
        InvalidInput: it has other characters than names of arrays, options and columns may have.
    """
    if _SITE_NAME.fullmatch(name):
        return name
    raise InvalidInput(
        f"{name[:60]!r} is no name of a site. It has small letters, digits and _, and begins with a letter, "
        f"such as {', '.join(SITES)}."
    )


def sites_in_order(names: Iterable[str]) -> tuple[Site, ...]:
    """The same sites, each once: those of a decoder in the order of `SITES`, then others by name."""
    given = set(names)
    return (*(site for site in SITES if site in given), *sorted(given.difference(SITES)))


@dataclass(frozen=True, slots=True)
class Recording:
    """One audio file of a dataset, as a reader lists it, before it is cut into clips."""

    uri: str
    """Path relative to the dataset root, with forward slashes."""
    group: str
    """What a split must not cut through: the artist where known, otherwise the recording."""
    split: str | None = None
    """The dataset's own split ("train", "validation", "test"), if it has one."""
    labels: Mapping[str, Label] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clip:
    """A fixed-length excerpt of one recording."""

    clip_id: str
    uri: str
    start_seconds: float
    duration_seconds: float
    group: str
    split: str | None
    sha256: str
    """Of the recording's file."""
    tail_seconds: float
    """What the recording has left after its last whole clip."""
    labels: Mapping[str, Label] = field(default_factory=dict)


def clip_id(dataset: str, uri: str, start_seconds: float, duration_seconds: float) -> str:
    """Stable id of an excerpt: the first 16 hex digits of a SHA-256 over what defines it."""
    key = f"{dataset}\n{uri}\n{start_seconds:.6f}\n{duration_seconds:.6f}"
    return sha256(key.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be used, and why."""

    item: str
    """Clip id, or the recording's uri where no clip could be cut."""
    stage: str
    """"list", "probe", "decode", "encode", "forward" or "worker"."""
    error: str
    """Class name of the error."""
    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        """Failures are stored: no URL in them keeps what it grants."""
        for name in ("item", "message", "uri"):
            object.__setattr__(self, name, redacted(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class ClipStatus:
    """What became of one clip of a unit; stands in the commit marker."""

    clip_id: str
    state: ClipState
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape and layout of one array of a collection, logical axes (clip, *axes)."""

    name: str
    """For runs "<site>.<reduction>", for example "resid.mean"; "codes" for codec tokens."""
    dimensions: tuple[str, ...]
    """Names of the axes after "clip": ("layer", "feature"), ("layer", "time", "feature") …"""
    shape: tuple[int, ...]
    """Their lengths, for example (L, D)."""
    dtype: str
    """"float32", "float16", "int16", "bfloat16" or "int8" (which has an array of scales beside it)."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values kept with the array: layer numbers, site, reduction, units."""
    compression: Literal["none", "zstd"] = "none"


@dataclass(frozen=True, slots=True)
class Unit:
    """The work atom: a fixed list of consecutive rows of a plan."""

    unit_id: str
    """"unit-000000", numbered over all parts of the plan."""
    first_row: int
    """Row of its first clip in every array of the collection; a multiple of the unit size."""
    clips: tuple["PlannedClip", ...]

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Ids of its clips."""
        return tuple(clip.clip_id for clip in self.clips)


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip as the plan of a collection lists it: all a worker needs to produce its row."""

    clip_id: str
    uri: str
    start_seconds: float
    duration_seconds: float
    text: str = ""
    """Text condition of the pass; empty means unconditional."""
    sha256: str = ""
    """Of the recording's file when the dataset was made; empty where nobody knows."""
    melody: str = ""
    """The recording, below the same root, whose melody conditions the pass; empty means none."""


@dataclass(frozen=True, slots=True)
class Receipt(Generic[Found]):
    """What a worker returns for a unit: about 1 KB, never tensors."""

    unit_id: str
    items: int
    """Clips, or whatever the unit holds."""
    failed: int
    bytes_written: int
    won: bool
    """False when another worker had committed the unit first."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time per stage: decode, encode, forward, write, wait."""
    found: Found | None = None
    """What else the driver of this kind of work wants to know."""


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """A site as a model reports it."""

    name: Site
    layers: int
    """Their number; a site with one layer has just layer 0, whatever layers others have."""
    width: int
    """Features of an activation."""
    heads: int = 1
    """Parts of equal width that an activation consists of, one per attention head, one after another."""

    def __post_init__(self) -> None:
        check_site(self.name)

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.width // self.heads


def decoder_sites(
    *, layers: int, width: int, heads: int = 0, cross_attention: bool = True
) -> tuple[SiteInfo, ...]:
    """Sites of a transformer's decoder.

    Args:
        layers: Number of its blocks.
        width: Of its residual stream.
        heads: Of its self-attention; 0 where their outputs cannot be read.
        cross_attention: Whether it attends to its conditions.
    """
    there = {
        "embed": SiteInfo("embed", 1, width),
        "head": SiteInfo("head", layers, width, heads) if heads else None,
        "xattn": SiteInfo("xattn", layers, width) if cross_attention else None,
    }
    found = (there.get(site, SiteInfo(site, layers, width)) for site in SITES)
    return tuple(site for site in found if site is not None)


_FOLLOWS_FROM_THE_WEIGHTS = ("sites", "abilities", "takes_text", "licence", "reach_samples", "channels")
"""What a run's document leaves out: its fingerprint and its arrays say it, and ids are made of the rest."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model says of itself, known without loading its weights onto a device."""

    name: str
    fingerprint: str
    codec_fingerprint: str
    layers: int
    width: int
    codebooks: int
    codebook_size: int
    frame_rate: float
    sample_rate: int
    random_weights: bool
    revision: str | None = None
    melody: bool = False
    max_seconds: float = 30.0
    delays: tuple[int, ...] = ()
    """Decoder steps by which each codebook lags behind the first."""
    cross_attention: bool = True
    """False for melody models: their conditions stand before the audio, so there is no site "xattn"."""
    text_encoder: str = ""
    """Name of the T5, with the commit it was taken from where it came from a hub."""
    sites: tuple[SiteInfo, ...] = ()
    """Where its activations can be read; by default those of a decoder whose heads are not known."""
    abilities: tuple[Ability, ...] = ("encode", "generate", "steer")
    """What it can do beside running over a clip and being read; "encode" means that it has codes."""
    takes_text: bool = True
    """Whether a text conditions it; `melody` says the same of melodies."""
    licence: str = ""
    """Of its weights, as its source says it: "CC-BY-NC-4.0"; empty where nobody said it."""
    reach_samples: int = 0
    """Samples that a frame needs, where only whole ones count; 0 where a started frame counts."""
    code: tuple[tuple[str, str], ...] = ()
    """Files of code that came with it and that the user asked to run: name and SHA-256 of each."""
    trust_remote_code: bool = False
    """Whether that code came with the weights, from the hub or in a folder; else it is the user's own."""
    channels: int = 1
    """Of the audio it hears and makes; with 2, its codebooks are those of left and right in turn."""

    def __post_init__(self) -> None:
        if not self.sites:
            sites = decoder_sites(layers=self.layers, width=self.width, cross_attention=self.cross_attention)
            object.__setattr__(self, "sites", sites)

    @property
    def site_names(self) -> tuple[Site, ...]:
        """Names of its sites, in its own order."""
        return tuple(site.name for site in self.sites)

    def site(self, name: Site) -> SiteInfo:
        """One of its sites.

        Raises:
            InvalidInput: it has none of that name.
        """
        found = next((site for site in self.sites if site.name == name), None)
        if found is None:
            raise InvalidInput(
                f"{self.name!r} has no site {name!r}; it has {', '.join(self.site_names)}."
                + (" Its conditions stand before the audio." if name == "xattn" else "")
            )
        return found

    def require(self, ability: Ability) -> None:
        """Raise `InvalidInput` where the model cannot do something."""
        if ability not in self.abilities:
            can = [_IN_WORDS[one] for one in self.abilities]
            raise InvalidInput(
                f"{self.name!r} cannot {ability}: it {' and '.join([*can, 'can be extracted and probed'])}."
            )

    def document(self) -> dict[str, Any]:
        """What the document of a run says of it, as JSON values."""
        left_out = (*_FOLLOWS_FROM_THE_WEIGHTS, "code", "trust_remote_code")
        said = {name: value for name, value in asdict(self).items() if name not in left_out}
        if self.code:  # ids of models that bring none are made without
            said |= {"code": dict(self.code), "trust_remote_code": self.trust_remote_code}
        return said


_IN_WORDS: Mapping[Ability, str] = {"encode": "encodes", "generate": "generates", "steer": "can be steered"}
