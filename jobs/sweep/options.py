"""Options of `undertone sweep` beside its file."""

from dataclasses import dataclass
from typing import Literal

from store import extensions
from store.errors import InvalidInput

Engine = Literal["ray", "inline"]
SCORERS = ("descriptors", "similarity", "features", "probe", "judge", "clap")
"""Those that are built in, in the order in which they work; "all" means them."""


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """Arguments of `undertone sweep`, as given."""

    store: str
    sweep: str
    """File of the sweep, or the name of one that comes with Undertone."""
    run: str = ""
    """Run whose directions steer; needed where the store has several."""
    model: str = ""
    """The run's model where it cannot be found by its name: a folder."""
    clap: str = "pocket"
    scorers: str = "all"
    batch: int = 32
    unit: int = 64
    device: str = "auto"
    dtype: str = "fp32"
    engine: Engine = "ray"
    address: str = "local"
    workers: int | None = None
    threads: int = 1
    gpus_per_worker: float = 1.0
    roots: tuple[str, ...] = ()
    shared_filesystem: bool = False

    def __post_init__(self) -> None:
        for name in ("batch", "unit", "threads"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name} is {getattr(self, name)}; it must be 1 or more.")
        if self.workers is not None and self.workers < 1:
            raise InvalidInput(f"--workers is {self.workers}; it must be 1 or more.")
        if self.gpus_per_worker < 0:
            raise InvalidInput(f"--gpus-per-worker is {self.gpus_per_worker}; use 0 or more.")
        self.scorer_names()

    def scorer_names(self) -> tuple[str, ...]:
        """The scorers that were asked for; raises `InvalidInput`."""
        if self.scorers == "all":
            return SCORERS
        names = [name.strip() for name in self.scorers.split(",") if name.strip()]
        known = tuple(dict.fromkeys((*SCORERS, *extensions.SCORERS.names())))
        if unknown := sorted(set(names) - set(known)):
            raise InvalidInput(
                f"--scorers: there is no {unknown[0]!r}; choose all, or from {', '.join(known)}."
            )
        return tuple(name for name in known if name in names)
