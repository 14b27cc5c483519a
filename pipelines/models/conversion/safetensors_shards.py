"""Write tensors as safetensors, one after the other: no more than one is ever in memory."""

import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

LARGEST_SHARD = 5_000_000_000
"""Bytes, as in the published models."""
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor that is read when its turn has come."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    read: Callable[[], torch.Tensor]

    @property
    def nbytes(self) -> int:
        """Bytes of its values."""
        return prod(self.shape) * self.dtype.itemsize


def write_shards(folder: Path, tensors: Sequence[PlannedTensor], *, largest: int = LARGEST_SHARD) -> None:
    """Write `model.safetensors`, or shards of at most `largest` bytes and their index."""
    # Wide types first: every tensor then begins at a multiple of its own width.
    ordered = sorted(tensors, key=lambda tensor: (-tensor.dtype.itemsize, tensor.name))
    shards = list(_split(ordered, largest))
    if len(shards) == 1:
        write_safetensors(folder / SINGLE, shards[0])
        return
    names = [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        write_safetensors(folder / name, shard)
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors)},
        "weight_map": {
            tensor.name: name for name, shard in zip(names, shards, strict=True) for tensor in shard
        },
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_safetensors(path: Path, tensors: Sequence[PlannedTensor]) -> None:
    """Write one file of the format: the length of its header, the header in JSON, all values."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for tensor in tensors:
        end = begin + tensor.nbytes
        header[tensor.name] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            file.write(raw_bytes(tensor.read()))
        file.flush()
        os.fsync(file.fileno())


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """The values of a tensor as they lie in memory."""
    values: memoryview = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
    return values


def _split(tensors: Sequence[PlannedTensor], largest: int) -> Iterator[list[PlannedTensor]]:
    shard: list[PlannedTensor] = []
    held = 0
    for tensor in tensors:
        if shard and held + tensor.nbytes > largest:
            yield shard
            shard, held = [], 0
        shard.append(tensor)
        held += tensor.nbytes
    yield shard
