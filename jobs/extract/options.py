"""Options of an extraction."""

from dataclasses import dataclass
from typing import Literal

from store.errors import InvalidInput

Engine = Literal["ray", "inline"]


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """What a user can say of an extraction; see `undertone extract --help`."""

    store: str
    dataset: str
    model: str = "pocket"
    sites: str = "resid,attn,mlp"
    layers: str = "all"
    reduce: str = "mean"
    segments: int = 10
    text: str = ""
    dtype: str = "fp32"
    device: str = "auto"
    batch_clips: int = 16
    unit_clips: int = 64
    compression: Literal["none", "zstd"] = "none"
    engine: Engine = "ray"
    address: str = "local"
    workers: int | None = None
    threads: int = 1
    gpus_per_worker: float = 1.0
    roots: tuple[str, ...] = ()
    retry_failed: bool = False
    max_failures: int | None = None
    shared_filesystem: bool = False

    def __post_init__(self) -> None:
        for name in ("segments", "batch_clips", "unit_clips", "threads"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be 1 or more."
                )
        for name in ("gpus_per_worker", "max_failures"):
            if (getattr(self, name) or 0) < 0:
                raise InvalidInput(f"--{name.replace('_', '-')} is {getattr(self, name)}; use 0 or more.")
        if self.workers is not None and self.workers < 1:
            raise InvalidInput(f"--workers is {self.workers}; it must be 1 or more.")
