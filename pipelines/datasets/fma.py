"""FMA (Defferrard et al. 2017, github.com/mdeff/fma): `fma_metadata/tracks.csv` and folders of MP3.

`fma_small/000/000002.mp3` is track 2. The table has two header rows (a column is a pair such as
`set, split`) and a third that names the index, `track_id`.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pipelines.datasets.listing import audio_files
from pipelines.datasets.tables import opened_text
from pipelines.files import Root
from store.errors import InvalidInput
from store.records import Failure, Label, Recording

TRACKS = "fma_metadata/tracks.csv"
AUDIO_FOLDERS = ("fma_small", "fma_medium", "fma_large", "fma_full")
NOTES = "Splits are FMA's own, which keep artists apart; groups are artists."
_SPLITS = {"training": "train", "validation": "validation", "test": "test"}
_LABELS = {
    "genre": ("track", "genre_top"),
    "genres": ("track", "genres_all"),
    "title": ("track", "title"),
    "artist": ("artist", "name"),
    "album": ("album", "title"),
    "released": ("album", "date_released"),
    "language": ("track", "language_code"),
    "license": ("track", "license"),
    "subset": ("set", "subset"),
}
_NUMBERS = {"listens": ("track", "listens"), "favorites": ("track", "favorites")}
_SPLIT, _ARTIST = ("set", "split"), ("artist", "id")
_TRACK_FILE = re.compile(r"(?:.*/)?\d{3}/(\d{6})\.mp3")

Columns = Mapping[tuple[str, str], int]


def list_recordings(root: Root, member: str = "") -> Iterator[Recording | Failure]:
    """The tracks whose MP3 is there, in order of their ids; an MP3 the table lacks is a failure.

    Raises:
        InvalidInput: no or several audio folders, or a table without the published columns.
    """
    folder = find_audio_folder(root, member)
    files: dict[int, str] = {}
    for uri in audio_files(root, folder):
        if isinstance(uri, Failure):
            yield uri
        elif match := _TRACK_FILE.fullmatch(uri):
            files[int(match[1])] = uri
    for track, recording in _described(root, files):
        del files[track]
        yield recording
    for track, uri in files.items():
        message = f"Track {track} has a file but no row in {TRACKS}."
        yield Failure(uri, "list", "NotFound", message, uri)


def find_audio_folder(root: Root, member: str = "") -> str:
    """The folder of MP3s that was named, or the only one there is."""
    if member:
        return member
    found = [name for name in root.folders() if name in AUDIO_FOLDERS]
    if len(found) != 1:
        raise InvalidInput(
            f"{root.url} holds {' and '.join(found) or 'no FMA audio folder'}; it needs one of "
            f"{', '.join(AUDIO_FOLDERS)}. Where there are several, give one as PATH: {root.url}/"
            f"{found[0] if found else AUDIO_FOLDERS[0]}."
        )
    return found[0]


def _described(root: Root, files: Mapping[int, str]) -> Iterator[tuple[int, Recording]]:
    with opened_text(root, TRACKS) as text:
        rows = csv.reader(text)
        columns = _columns(rows)
        for row in rows:
            track = int(row[0])
            if track in files:
                yield track, _recording(files[track], row, columns)


def _columns(rows: Iterator[list[str]]) -> Columns:
    groups, names, index = next(rows, []), next(rows, []), next(rows, [])
    columns = {pair: position for position, pair in enumerate(zip(groups, names, strict=False))}
    wanted = {_SPLIT, _ARTIST, *_LABELS.values(), *_NUMBERS.values()}
    if index[:1] != ["track_id"] or not wanted <= columns.keys():
        missing = ", ".join(sorted(".".join(pair) for pair in wanted - columns.keys()))
        raise InvalidInput(
            f"{TRACKS} is not FMA's table: it should have two header rows and a third that begins with "
            f"'track_id'{f', and lacks the columns {missing}' if missing else ''}."
        )
    return columns


def _recording(uri: str, row: list[str], columns: Columns) -> Recording:
    def text(pair: tuple[str, str]) -> str | None:
        return row[columns[pair]] or None

    labels: dict[str, Label] = {"track_id": int(PurePosixPath(uri).stem)}
    labels |= {name: text(pair) for name, pair in _LABELS.items()}
    labels |= {name: int(row[columns[pair]] or 0) for name, pair in _NUMBERS.items()}
    split = text(_SPLIT)
    return Recording(
        uri,
        group=f"artist-{text(_ARTIST)}",
        split=None if split is None else _SPLITS.get(split, split),
        labels=labels,
    )
