"""Options of an evaluation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.scorers.clap import POCKET, TEMPLATE
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.evaluate.prompts import GivenPrompts

JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What a user can say of an evaluation; see `undertone evaluate --help`."""

    store: str
    dataset: str | None = None
    generations: str | None = None
    prompts: "GivenPrompts" = ()
    template: str = TEMPLATE
    clap: str = POCKET
    judge: bool = False
    scorers: tuple[str, ...] = ()
    """Scorers of sounds, by name."""
    device: str = "auto"
    engine: Literal["ray", "inline"] = "ray"
    address: str = "local"
    workers: int | None = None
    threads: int = 1
    gpus_per_worker: float = 1.0
    roots: tuple[str, ...] = ()
    shared_filesystem: bool = False

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.generations is None):
            raise InvalidInput(
                "Say what to score: --dataset NAME for the clips of a dataset, or --generations "
                '"SELECT generation_id FROM generations …"; not both.'
            )
        if not (self.prompts or self.sound_scorers):
            raise InvalidInput(
                "Say what to ask: --prompts CONCEPT=CLASS,CLASS,… for CLAP, --judge, --scorer NAME, or "
                "several of them."
            )
        if self.workers is not None and self.workers < 1:
            raise InvalidInput(f"--workers is {self.workers}; it must be 1 or more.")
        if self.threads < 1:
            raise InvalidInput(f"--threads is {self.threads}; it must be 1 or more.")

    @property
    def sound_scorers(self) -> tuple[str, ...]:
        """Those that were asked for, each once."""
        return tuple(dict.fromkeys([*([JUDGE] if self.judge else []), *self.scorers]))
