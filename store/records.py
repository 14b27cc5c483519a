"""The frozen records that travel between folders, and nothing else.

`pipelines` and `analysis` may import this module and `store.errors`, no other part of `store`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Generic, Literal, TypeVar

from store.errors import redacted

Found = TypeVar("Found")
Label = str | int | float | bool | None
ClipState = Literal["ok", "silent", "failed"]
Site = Literal["embed", "resid", "attn", "xattn", "mlp"]
Reduction = Literal["mean", "std", "last", "segments", "frames"]

SITES: tuple[Site, ...] = ("embed", "resid", "attn", "xattn", "mlp")
REDUCTIONS: tuple[Reduction, ...] = ("mean", "std", "last", "segments", "frames")


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
    """"float32", "float16" or "int16"."""
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
class ModelInfo:
    """What is known of a MusicGen without loading its weights onto a device."""

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
