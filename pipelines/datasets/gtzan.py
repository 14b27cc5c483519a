"""GTZAN (Tzanetakis & Cook 2002): ten genres of a hundred 30-second excerpts.

`genres/blues/blues.00000.wav` (or .au, as first published; `genres_original/` in a later copy), in any
container and any folders deeper: mirdata keeps `gtzan_genre/genres/…`, Kaggle `Data/genres_original/…`.
"""

import re
from collections.abc import Iterator, Mapping

from pipelines.audio.files import Root
from pipelines.datasets.listing import audio_files
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from store.records import Failure, Recording

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
NOTES = (
    "Splits are the fault-filtered ones of Kereliuk, Sturm & Larsen 2015 (443 / 197 / 290 excerpts), which "
    "keep artists apart; the 70 excerpts they leave out (repetitions, distortions, wrong labels) have none. "
    "GTZAN names no artists, so each excerpt is a group of its own: folds made from groups do not keep "
    "artists apart. The file jazz.00054 is damaged in the copies in circulation."
)
_EXCERPT = re.compile(rf"(?:.*/)?({'|'.join(GENRES)})/\1\.([0-9]{{5}})\.[A-Za-z0-9]+")
_LEVELS, _MOST_FOLDERS = 3, 4
"""Copies nest in a few folders; a level with more of them holds labels or artists, and is not searched."""


def list_recordings(root: Root, member: str = "", say: Say = in_silence) -> Iterator[Recording | Failure]:
    """The excerpts that are there; the label `genre` is the folder's name."""
    splits = fault_filtered_splits()
    others: list[str] = []
    for uri in audio_files(root, member, say):
        if isinstance(uri, Failure):
            yield uri
        elif match := _EXCERPT.fullmatch(uri):
            excerpt = f"{match[1]}.{match[2]}"
            yield Recording(uri, group=excerpt, split=splits.get(excerpt), labels={"genre": match[1]})
        else:
            others.append(uri)
    if others:
        say(
            f"{len(others):,} audio files are left out, as they are not named like excerpts of GTZAN "
            f"(blues/blues.00000.wav); the first is {others[0]!r}."
        )


def find_genres(root: Root, below: str = "") -> str | None:
    """The folder with a folder per genre: the one given, or one a few levels deeper; None without one."""
    level = [below]
    for _ in range(_LEVELS + 1):
        deeper: list[str] = []
        for folder in level:
            names = root.folders(folder)
            if set(GENRES) <= set(names):
                return folder
            deeper += [f"{folder}/{name}" if folder else name for name in names]
        if len(deeper) > _MOST_FOLDERS:
            return None
        level = deeper
    return None


def fault_filtered_splits() -> Mapping[str, str]:
    """Split of each excerpt ("blues.00029") that the fault-filtered lists name."""
    # torchaudio carries the published lists; it is slow to import, so only GTZAN pays for it.
    from torchaudio.datasets import gtzan

    lists = {
        "train": gtzan.filtered_train,
        "validation": gtzan.filtered_valid,
        "test": gtzan.filtered_test,
    }
    return {excerpt: split for split, excerpts in lists.items() for excerpt in excerpts}


def _is_gtzan(root: Root, member: str) -> bool:
    return not member and find_genres(root) is not None


FORMAT = Format("gtzan", list_recordings, _is_gtzan, notes=NOTES)
