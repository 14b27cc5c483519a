"""Interface of a scorer of sounds: from audio alone to probabilities of classes, or to a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store.errors import BrokenPlugin
from store.extensions import SCORERS


@dataclass(frozen=True, slots=True)
class Scores:
    """What a scorer says of B sounds about one thing; NaN where it does not know."""

    concept: str
    """What is scored, such as "style": the name of a label, where there is one to compare with."""
    measure: str
    """"probability" of classes, or what the number is, with its unit: "tempo_bpm"."""
    values: NDArray[np.floating]
    """(B, C) for classes, (B,) for a number."""
    classes: tuple[str, ...] = ()
    """C names, in the order of the columns; none for a number."""

    def __post_init__(self) -> None:
        expected = (len(self.values), len(self.classes)) if self.classes else (len(self.values),)
        if self.values.shape != expected:
            raise BrokenPlugin(
                f"Scores of {self.concept!r} have the shape {self.values.shape}, not {expected}: a row for "
                "each sound, and a column for each class."
            )


class SoundScorer(Protocol):
    """A loaded scorer. What it says of a sound does not depend on the others of its batch."""

    @property
    def name(self) -> str:
        """Of the model, for tables."""

    @property
    def version(self) -> str:
        """Stands for all that decides its scores: the fingerprint of weights and settings, or a number."""

    @property
    def sample_rate(self) -> int:
        """Of the audio that it wants, in Hz."""

    def score(self, audio: NDArray[np.float32]) -> Sequence[Scores]:
        """Score mono audio (B, samples), full scale ±1, at the scorer's rate; the same concepts every time.

        Raises:
            UndertoneError: the work cannot go on. Of one sound that it cannot make sense of it says NaN.
        """


@dataclass(frozen=True, slots=True)
class ScorerFactory:
    """What an entry point of undertone.scorers names; the model is loaded where a worker runs."""

    load: Callable[[str], SoundScorer]
    """Given a device, "cpu" or "cuda"."""
    choice_rank: int | None = None
    """Whether it may choose the settings of a sweep, and when it is asked: the scorer with the lowest rank
    that can tell classes of its concept apart chooses. None: never. Those that are built in have 10 (clap),
    20 (features), 30 (judge) and 40 (probe)."""


def load_scorer(name: str, *, device: str = "cpu") -> SoundScorer:
    """A scorer that is built in, or a plug-in's.

    Raises:
        InvalidInput: there is none of that name.
        BrokenPlugin: a plug-in cannot be loaded, or fails while it loads its model.
    """
    with SCORERS.called(name):
        return SCORERS.load(name, ScorerFactory).load(device)
