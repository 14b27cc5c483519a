"""Options of adding a dataset and of rendering one."""

from dataclasses import dataclass
from typing import Annotated

from jobs.execution import Address, Engine
from jobs.option import Option, check_values
from pipelines.synthesis.songs import Band
from store.errors import InvalidInput
from store.extensions import DATASETS

Replace = Annotated[bool, Option("Replace a dataset of this name that no run uses.")]


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What `dataset add` was asked to do."""

    store: str
    name: str
    path: str
    format_name: Annotated[
        str,
        Option(
            "Format of the dataset at PATH; auto finds it out.",
            flag="--format",
            names=DATASETS,
            others=("auto",),
        ),
    ] = "auto"
    clip_seconds: Annotated[
        float | None, Option("Length of a clip.  [default: 10; 4 for syntheory]", least=0, exclusive=True)
    ] = None
    """None means the format's usual length."""
    hop_seconds: Annotated[
        float | None,
        Option(
            "Seconds from one clip's start to the next.  [default: the clip's length]",
            least=0,
            exclusive=True,
        ),
    ] = None
    """None means clips side by side."""
    threads: Annotated[int, Option("Files read at once.", least=1, most=64)] = 4
    replace: Replace = False
    listen: Annotated[
        bool,
        Option(
            "Decode every clip, and name those that are silent, clipped or damaged. Without it, silence is "
            "told of uncompressed files alone, and else by extract and probe."
        ),
    ] = False

    rehash: Annotated[
        bool,
        Option("Read all files again, also those whose size and time (or ETag) are what they were."),
    ] = False
    trust_etag: Annotated[
        bool,
        Option(
            "Read only the header and the end of WAV, AIFF and the like in a bucket, and take "
            "the bucket's ETag for the checksum of the rest."
        ),
    ] = False
    engine: Annotated[
        Engine,
        Option(
            "Place of the work: ray reads files on all nodes; inline in this process, on --threads threads."
        ),
    ] = "inline"
    address: Address = "local"
    shared_filesystem: Annotated[bool, Option("The folder is the same on every node.")] = False

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True)
class SynthRequest:
    """What `dataset synth` was asked to do."""

    store: str
    name: str
    concepts: Annotated[
        str | None,
        Option(
            "Concepts to render, of notes, intervals, scales, chords, chord_progressions, "
            "tempos, time_signatures, styles.  [default: all]",
            metavar="A,B,…",
        ),
    ] = None
    clips: Annotated[int, Option("How many to render.", least=1)] = 1000
    clip_seconds: Annotated[float, Option("Length of a clip.", least=0, exclusive=True)] = 4.0
    seed: Annotated[int, Option("The same seed gives the same audio.")] = 0
    replace: Replace = False
    band: Annotated[
        Band,
        Option(
            "Band of the concept styles: any draws drums, bass and chords without regard to "
            "the style; typical draws those of the style, which can then be told by its "
            "instruments."
        ),
    ] = "any"

    def __post_init__(self) -> None:
        check_values(self)
        if self.concepts is not None and not self.chosen_concepts:
            raise InvalidInput("--concepts names none; leave it out for all of them.")

    @property
    def chosen_concepts(self) -> tuple[str, ...] | None:
        """The names that were asked for; None for all."""
        if self.concepts is None:
            return None
        return tuple(filter(None, map(str.strip, self.concepts.split(","))))
