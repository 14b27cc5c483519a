"""FMA (Defferrard et al. 2017, github.com/mdeff/fma): `fma_metadata/tracks.csv` and folders of MP3.

`fma_small/000/000002.mp3` is track 2. The table has two header rows (a column is a pair such as
`set, split`) and a third that names the index, `track_id`. Kaggle's copy nests both folders in folders of
the same name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.audio.files import Root
from pipelines.datasets.column_types import MISSING
from pipelines.datasets.listing import audio_files
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from pipelines.datasets.tables import is_blank, is_table_name, opened_csv, refuse_length
from store.errors import InvalidInput
from store.records import Failure, Label, Recording

TRACKS = "fma_metadata/tracks.csv"
TABLES = (TRACKS, f"fma_metadata/{TRACKS}")
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
_TRACK_FILE = re.compile(r"(?:.*/)?[0-9]{3}/([0-9]{6})\.[A-Za-z0-9]+")
_WHOLE = re.compile(r"([0-9]{1,15})(?:\.0*)?")
"""A whole number, also as pandas writes it in a column that has gaps: "12.0"."""

Columns = Mapping[tuple[str, str], int]


class Place(NamedTuple):
    """Where a record stands."""

    table: str
    line: int


@dataclass(frozen=True, slots=True)
class _Track:
    """One record of the table."""

    place: Place
    record: list[str]
    columns: Columns

    def text(self, pair: tuple[str, str]) -> str | None:
        """A column's text, None where it is missing."""
        text = self.record[self.columns[pair]]
        return None if text.strip() in MISSING else text

    def whole(self, pair: tuple[str, str]) -> int | None:
        """A column's whole number, None where it is missing."""
        text = self.text(pair)
        return None if text is None else whole_number(text, ".".join(pair), self.place)


def list_recordings(root: Root, member: str = "", say: Say = in_silence) -> Iterator[Recording | Failure]:
    """The tracks whose audio is there, in the order of the table; audio the table lacks is a failure.

    Raises:
        InvalidInput: no or several audio folders, or a table without the published columns; a line that
            cannot be read is named.
    """
    folder = find_audio_folder(root, member)
    files: dict[int, str] = {}
    others: list[str] = []
    for uri in audio_files(root, folder, say):
        if isinstance(uri, Failure):
            yield uri
        elif not (match := _TRACK_FILE.fullmatch(uri)):
            others.append(uri)
        elif (first := files.setdefault(int(match[1]), uri)) != uri:
            yield Failure(uri, "list", "InvalidInput", f"Track {int(match[1])} is {first!r} already.", uri)
    if others:
        say(
            f"{len(others):,} audio files are left out, as they are not named like tracks of FMA "
            f"(000/000002.mp3); the first is {others[0]!r}."
        )
    table = find_table(root)
    for track, recording in _described(root, table, files):
        del files[track]
        yield recording
    for track, uri in files.items():
        yield Failure(uri, "list", "NotFound", f"Track {track} has a file but no row in {table}.", uri)


def find_audio_folder(root: Root, member: str = "") -> str:
    """The folder of audio that was named, or the only one there is."""
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


def has_table(root: Root) -> bool:
    """Whether a root has FMA's table where it belongs."""
    return any(root.exists(name) for name in TABLES)


def find_table(root: Root) -> str:
    """The table that the root has."""
    found = next((name for name in TABLES if root.exists(name)), None)
    if found is None:
        raise InvalidInput(f"{root.url} has no {TRACKS}; unpack fma_metadata.zip beside the audio folder.")
    return found


def whole_number(text: str, what: str, place: Place) -> int:
    """A whole number of the table; raises `InvalidInput` that names the line."""
    if match := _WHOLE.fullmatch(text.strip()):
        return int(match[1])
    raise InvalidInput(f"Line {place.line} of {place.table}: {what} is {text!r}, which is no whole number.")


def _described(root: Root, table: str, files: Mapping[int, str]) -> Iterator[tuple[int, Recording]]:
    with opened_csv(root, table) as records:
        header: list[str] = next(records, [])
        columns = _columns(header, next(records, []), next(records, []), table)
        for record in records:
            if is_blank(record):
                continue
            place = Place(table, records.line_num)
            refuse_length(record, header, records.line_num, table)
            number = whole_number(record[0], "track_id", place)
            if number in files:
                yield number, _recording(files[number], number, _Track(place, record, columns))


def _columns(groups: list[str], names: list[str], index: list[str], table: str) -> Columns:
    columns = {pair: position for position, pair in enumerate(zip(groups, names, strict=False))}
    wanted = {_SPLIT, _ARTIST, *_LABELS.values(), *_NUMBERS.values()}
    if index[:1] != ["track_id"] or not wanted <= columns.keys():
        missing = ", ".join(sorted(".".join(pair) for pair in wanted - columns.keys()))
        raise InvalidInput(
            f"{table} is not FMA's table: it should have two header rows and a third that begins with "
            f"'track_id'{f', and lacks the columns {missing}' if missing else ''}. A table that pandas has "
            "filtered keeps them with read_csv(…, index_col=0, header=[0, 1])."
        )
    return columns


def _recording(uri: str, number: int, track: _Track) -> Recording:
    labels: dict[str, Label] = {"track_id": number}
    labels |= {name: track.text(pair) for name, pair in _LABELS.items()}
    labels |= {name: track.whole(pair) for name, pair in _NUMBERS.items()}
    split, artist = track.text(_SPLIT), track.whole(_ARTIST)
    return Recording(
        uri,
        group=uri if artist is None else f"artist-{artist}",
        split=None if split is None else _SPLITS.get(split, split),
        labels=labels,
    )


def _is_fma(root: Root, member: str) -> bool:
    return not is_table_name(member) and has_table(root)


FORMAT = Format("fma", list_recordings, _is_fma, notes=NOTES)
