"""Pure functions from arrays, units and rows to keys, shapes and byte offsets.

In a shard the axes are stored (layer, clip, *rest), whatever the logical order (clip, layer, *rest): one
layer of a shard is contiguous. Arrays without a layer axis count as having one layer, called a *part* here.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from store.errors import InvalidInput
from store.records import ArraySpec, Unit

MAX_SHARD_BYTES = 256_000_000
MAX_CLIP_BYTES = 2**32
"""Of one array: many times the frames of all layers of the largest model."""
MAX_READ_SHARD_BYTES = 2**34
MOST_AXES = 8
CHUNK_INDEX_ENTRY_BYTES = 16
INDEX_CHECKSUM_BYTES = 4
CHUNK_CHECKSUM_BYTES = 4
LONGEST_NAME = 250
BFLOAT16_NAN, INT8_FILL = 0x7FC0, -128
_HELD_AS = {
    "float32": "float32", "float16": "float16", "int16": "int16", "bfloat16": "uint16", "int8": "int8",
}  # fmt: skip
"""By type of an array, the type of numpy and Zarr that holds its numbers: of bfloat16 the bits."""
_FILL = {"bfloat16": BFLOAT16_NAN, "int8": INT8_FILL, "int16": -1}
LONGEST_DATASET_NAME = 100  # it is a part of the names of runs and codes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GROUPS = {"runs": "activations.zarr", "codes": "codes.zarr", "features": "features.zarr"}
_DOCUMENTS = {"runs": "run.json", "codes": "codes.json", "features": "features.json"}
_FILE = (
    r"datasets/[^/]+/(?:[a-z]+\.(?:json|parquet)|audio/.+)"
    r"|results/[^/]+/[^/]+\.parquet|audio/[^/]+\.flac|tags/[^/]+\.json|moments/.+\.npy|state/.+\.npz"
    r"|(?:runs|codes|features)/[^/]+/(?:[a-z]+\.json|plan/[^/]+\.parquet|commits/[^/]+\.(?:json|parquet)"
    r"|[a-z]+\.zarr/zarr\.json|[a-z]+\.zarr/[^/]+/(?:zarr\.json|c(?:\.\d+)+))"
)
_RECORDED = rf"{_FILE}|datasets/[^/]+/audio|(?:runs|codes|features)/[^/]+/complete/\d+"
_FILE_NAME = re.compile(rf"undertone\.json|{_FILE}|records/(?:{_RECORDED})\.json")
_PER_CLIP_AXES = frozenset({"time", "segment", "codebook"})


@dataclass(frozen=True)
class ArrayLayout:
    """How one array is cut into shards and inner chunks."""

    spec: ArraySpec
    unit_clips: int
    shard_clips: int
    """S: clips in one shard, a divisor of the unit size."""
    chunk_clips: int
    """Clips in one inner chunk: S for pooled arrays, else 1."""

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """Little-endian type of the stored numbers."""
        return held_as(self.spec.dtype).newbyteorder("<")

    @cached_property
    def parts(self) -> int:
        """Layers, or 1 for arrays without a layer axis."""
        return self.spec.shape[0] if self.spec.dimensions[0] == "layer" else 1

    @cached_property
    def rest(self) -> tuple[int, ...]:
        """Lengths of the axes after clip and layer."""
        return self.spec.shape[1:] if self.spec.dimensions[0] == "layer" else self.spec.shape

    @cached_property
    def rest_dimensions(self) -> tuple[str, ...]:
        """Names of the axes after clip and layer."""
        return self.spec.dimensions[1:] if self.spec.dimensions[0] == "layer" else self.spec.dimensions

    @cached_property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one shard in storage order (parts, clips, *rest)."""
        return (self.parts, self.shard_clips, *self.rest)

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one clip in one part."""
        return math.prod(self.rest) * self.dtype.itemsize

    @cached_property
    def shard_shape(self) -> tuple[int, ...]:
        """Logical shape of one shard (clips, *axes)."""
        return (self.shard_clips, *self.spec.shape)

    @cached_property
    def chunk_shape(self) -> tuple[int, ...]:
        """Logical shape of one inner chunk."""
        axes = (1, *self.rest) if self.spec.dimensions[0] == "layer" else self.rest
        return (self.chunk_clips, *axes)

    @cached_property
    def chunks(self) -> int:
        """Inner chunks in one shard."""
        return self.parts * self.shard_clips // self.chunk_clips

    @cached_property
    def index_bytes(self) -> int:
        """Length of the index at the end of a shard, its checksum included."""
        return self.chunks * CHUNK_INDEX_ENTRY_BYTES + INDEX_CHECKSUM_BYTES

    @cached_property
    def fill(self) -> float | int:
        """What rows hold that no clip has filled."""
        return _FILL.get(self.spec.dtype, math.nan)

    @cached_property
    def chunk_bytes(self) -> int:
        """Bytes of the numbers of one inner chunk; in an uncompressed shard its checksum follows them."""
        return self.chunk_clips * self.row_bytes

    @cached_property
    def chunk_step(self) -> int:
        """Bytes from one inner chunk of an uncompressed shard to the next."""
        return self.chunk_bytes + CHUNK_CHECKSUM_BYTES

    def row_offset(self, part: int, row: int) -> int:
        """Byte offset of a row's part in its uncompressed shard."""
        chunk, place = divmod(part * self.shard_clips + row % self.shard_clips, self.chunk_clips)
        return chunk * self.chunk_step + place * self.row_bytes

    def shard_key(self, shard: int) -> str:
        """Key of a shard below the array's folder, after Zarr's default encoding with "." between the axes.

        "/" would cost three new folders and their fsyncs per shard on a local disk.
        """
        return ".".join(["c", str(shard), *["0"] * len(self.spec.shape)])

    def shards_of(self, unit: Unit) -> range:
        """Numbers of the shards that hold the clips of a unit."""
        return self.shards_of_rows(unit.first_row, len(unit.clips))

    def shards_of_rows(self, first_row: int, clips: int) -> range:
        """The same for so many clips from a row at which a shard begins."""
        first = first_row // self.shard_clips
        return range(first, first + -(-clips // self.shard_clips))


def array_layout(spec: ArraySpec, unit_clips: int) -> ArrayLayout:
    """Cut an array into shards: one per unit if pooled, else as many clips as stay within 256 MB."""
    check_spec(spec)
    if _PER_CLIP_AXES.isdisjoint(spec.dimensions):
        return ArrayLayout(spec, unit_clips, unit_clips, unit_clips)
    clip_bytes = clip_bytes_of(spec)
    divisors = (size for size in range(unit_clips, 0, -1) if unit_clips % size == 0)
    shard_clips = next((size for size in divisors if size * clip_bytes <= MAX_SHARD_BYTES), 1)
    return ArrayLayout(spec, unit_clips, shard_clips, 1)


def layout_document(layout: ArrayLayout) -> dict[str, Any]:
    """An array as it stands in the document of its collection."""
    return asdict(layout.spec) | {"shard_clips": layout.shard_clips, "chunk_clips": layout.chunk_clips}


def layout_from_document(array: Mapping[str, Any], unit_clips: int) -> ArrayLayout:
    """The array that a document describes."""
    spec = ArraySpec(
        array["name"],
        tuple(array["dimensions"]),
        tuple(array["shape"]),
        array["dtype"],
        array["attributes"],
        array["compression"],
    )
    return ArrayLayout(spec, unit_clips, array["shard_clips"], array["chunk_clips"])


def held_as(dtype: str) -> np.dtype[np.generic]:
    """Type of numpy that holds the numbers of an array of this type."""
    return np.dtype(_HELD_AS[dtype])


def clip_bytes_of(spec: ArraySpec) -> int:
    """Bytes of the numbers of one clip in an array."""
    return math.prod(spec.shape) * held_as(spec.dtype).itemsize


def check_spec(spec: ArraySpec) -> None:
    """Raise `InvalidInput` for an array that the format cannot hold."""
    check_name(spec.name, "an array")
    if not spec.shape or len(spec.shape) != len(spec.dimensions) or min(spec.shape) < 1:
        raise InvalidInput(
            f"Array {spec.name!r}: shape {spec.shape} does not fit dimensions {spec.dimensions}."
        )
    if spec.dtype not in _HELD_AS:
        legal = ", ".join(_HELD_AS)
        raise InvalidInput(f"Array {spec.name!r} has type {spec.dtype[:40]!r}; legal are {legal}.")
    if len(spec.shape) > MOST_AXES or clip_bytes_of(spec) > MAX_CLIP_BYTES:
        raise InvalidInput(
            f"Array {spec.name!r} has more than {MOST_AXES} axes, "
            f"or more than {MAX_CLIP_BYTES} bytes per clip."
        )


def check_layout(layout: ArrayLayout) -> None:
    """Raise `InvalidInput` for an array that cannot be cut like this."""
    check_spec(layout.spec)
    if layout.unit_clips % layout.shard_clips or layout.shard_clips % layout.chunk_clips:
        raise InvalidInput(
            f"Array {layout.spec.name!r}: chunks of {layout.chunk_clips} clips do not fill shards of "
            f"{layout.shard_clips}, or these not units of {layout.unit_clips}."
        )
    if layout.parts * layout.shard_clips * layout.row_bytes > MAX_READ_SHARD_BYTES:
        raise InvalidInput(
            f"Array {layout.spec.name!r} has shards of more than {MAX_READ_SHARD_BYTES} bytes."
        )


def check_name(name: str, what: str, *, longest: int = LONGEST_NAME) -> str:
    """The name itself, if it can stand in a key; raises `InvalidInput`."""
    if len(name) > longest:
        raise InvalidInput(
            f"{name[:40]!r}… cannot name {what}: it has {len(name)} characters, more than {longest}, and "
            "becomes part of the names of files. Choose a shorter one."
        )
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot name {what}: use letters, digits, '.', '_' and '-', first a letter or digit."
        )
    return name


def is_file_name(key: str) -> bool:
    """Whether only a file can have this key in a store, unless it lies among the audio of a dataset."""
    return _FILE_NAME.fullmatch(key) is not None


def group_key(prefix: str) -> str:
    """Key of the Zarr group of a collection."""
    return f"{prefix}/{_GROUPS[_kind(prefix)]}"


def document_key(prefix: str) -> str:
    """Key of the document (run.json, codes.json …) of a collection."""
    return f"{prefix}/{_DOCUMENTS[_kind(prefix)]}"


def marker_key(prefix: str, unit_id: str) -> str:
    """Key of a unit's commit marker."""
    return f"{prefix}/commits/{unit_id}.json"


def plan_key(prefix: str, part: int) -> str:
    """Key of one part of the plan."""
    return f"{prefix}/plan/part-{part:04d}.parquet"


def unit_name(number: int) -> str:
    """Id of a unit, "unit-000000", numbered over all parts of the plan."""
    return f"unit-{number:06d}"


def _kind(prefix: str) -> str:
    kind = prefix.split("/", maxsplit=1)[0]
    if kind not in _GROUPS:
        raise InvalidInput(f"A collection lies below one of {', '.join(_GROUPS)}; {prefix!r} does not.")
    return kind
