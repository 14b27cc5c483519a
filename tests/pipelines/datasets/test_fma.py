"""FMA in the layout of its publication.

M. Defferrard et al., "FMA: A dataset for music analysis", ISMIR 2017; github.com/mdeff/fma. Its notebook
creation.ipynb writes tracks.csv with pandas from columns in two levels, sorted; its utils.get_audio_path
names a track's file; its issues #8, #4 and #44 list the clips without audio: 1,752 bytes that hold a
header and next to no music, as they were cut out behind the track's end.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import open_source
from store.errors import InvalidInput
from store.records import Failure, Recording

Write = Callable[..., NDArray[np.float32]]
PUBLISHED_COLUMNS = {
    "album": """comments date_created date_released engineer favorites id information listens producer tags
        title tracks type""",
    "artist": """active_year_begin active_year_end associated_labels bio comments date_created favorites id
        latitude location longitude members name related_projects tags website wikipedia_page""",
    "set": "split subset",
    "track": """bit_rate comments composer date_created date_recorded duration favorites genre_top genres
        genres_all information interest language_code license listens lyricist number publisher tags title""",
}
TRACKS = {
    2: {"artist.id": 1, "set.split": "training", "set.subset": "medium", "track.genre_top": "Hip-Hop"},
    3: {"artist.id": 1, "set.split": "training", "set.subset": "medium", "track.genre_top": "Hip-Hop"},
    140: {"artist.id": 54, "set.split": "validation", "set.subset": "small", "track.genre_top": "Folk"},
    1482: {"artist.id": 60, "set.split": "test", "set.subset": "large"},
    99134: {"artist.id": 70, "set.split": "training", "set.subset": "small", "track.genre_top": "Rock"},
    108925: {"artist.id": 71, "set.split": "training", "set.subset": "small", "track.genre_top": "Rock"},
    133297: {"artist.id": 72, "set.split": "training", "set.subset": "small", "track.genre_top": "Rock"},
}
WITHOUT_AUDIO = (99134, 108925, 133297)
BIOGRAPHY = '<p>Born, "to" play;\nstill playing.</p>\n' * 6_000  # longer than csv's own limit of 128 KB


def write_tracks_csv(path: Path) -> None:
    """As creation.ipynb does: two levels of columns, the index named track_id."""
    names = [(group, name) for group, names in PUBLISHED_COLUMNS.items() for name in names.split()]
    columns = pd.MultiIndex.from_tuples(names)
    tracks = pd.DataFrame(index=pd.Index(sorted(TRACKS), name="track_id"), columns=columns, dtype=object)
    for track, values in TRACKS.items():
        for pair, value in values.items():
            tracks.loc[track, tuple(pair.split("."))] = value
        tracks.loc[track, ("track", "title")] = f"Song «{track}», or not"
        tracks.loc[track, ("track", "listens")] = 10 * track
        tracks.loc[track, ("track", "favorites")] = 1
        tracks.loc[track, ("track", "genres_all")] = "[21, 12]"
        tracks.loc[track, ("artist", "bio")] = BIOGRAPHY
        tracks.loc[track, ("album", "date_released")] = "2009-01-05 00:00:00"
    path.parent.mkdir(parents=True)
    tracks.sort_index(axis=1).to_csv(path)


def audio_path(folder: Path, track: int) -> Path:
    name = f"{track:06d}"
    return folder / name[:3] / (name + ".mp3")


@pytest.fixture
def published(tmp_path: Path, write_audio: Write) -> Path:
    """The metadata, and fma_large with four tracks, three clips without audio and a checksum file."""
    write_tracks_csv(tmp_path / "fma_metadata/tracks.csv")
    (tmp_path / "fma_metadata/genres.csv").write_text(
        "genre_id,#tracks,parent,title,top_level\n", encoding="utf-8"
    )
    large = tmp_path / "fma_large"
    for track in TRACKS:
        write_audio(audio_path(large, track), 3.0, rate=44_100, channels=2, seed=track)
    for track in WITHOUT_AUDIO:
        path = audio_path(large, track)
        path.write_bytes(path.read_bytes()[:1_752])
    (large / "checksums").write_text("0 000/000002.mp3\n", encoding="utf-8")
    return tmp_path


def test_tracks_carry_the_official_split_their_artist_and_labels(published: Path) -> None:
    source = open_source(published)
    assert source.format.name == "fma"
    recordings = list(source.list_recordings())
    assert [r.uri for r in recordings if isinstance(r, Recording)] == [
        f"fma_large/{track:06d}"[:13] + f"/{track:06d}.mp3" for track in sorted(TRACKS)
    ]
    by_uri = {r.uri: r for r in recordings if isinstance(r, Recording)}
    assert by_uri["fma_large/000/000002.mp3"] == Recording(
        "fma_large/000/000002.mp3",
        group="artist-1",
        split="train",
        labels={
            "track_id": 2,
            "genre": "Hip-Hop",
            "genres": "[21, 12]",
            "title": "Song «2», or not",
            "artist": None,
            "album": None,
            "released": "2009-01-05 00:00:00",
            "language": None,
            "license": None,
            "subset": "medium",
            "listens": 20,
            "favorites": 1,
        },
    )
    assert by_uri["fma_large/000/000140.mp3"].split == "validation"
    assert by_uri["fma_large/001/001482.mp3"].split == "test"
    assert by_uri["fma_large/001/001482.mp3"].labels["genre"] is None


def test_clips_without_audio_are_failures_and_nothing_else_is(published: Path) -> None:
    source = open_source(published)
    results = list(cut_recordings(source.root, source.list_recordings(), ClipSpec("fma", 3.0, 3.0)))
    failed = {result.uri[-10:-4] for result in results if isinstance(result, Failure)}
    assert failed == {f"{track:06d}" for track in WITHOUT_AUDIO}
    assert sum(len(result) for result in results if not isinstance(result, Failure)) == 4


def test_only_tracks_whose_file_is_there_are_listed(published: Path, write_audio: Write) -> None:
    write_audio(audio_path(published / "fma_small", 140), 3.0)
    source = open_source(published / "fma_small")
    assert source.format.name == "fma"
    assert [r.uri for r in source.list_recordings() if isinstance(r, Recording)] == [
        "fma_small/000/000140.mp3"
    ]


def test_a_file_without_a_row_is_a_failure(published: Path, write_audio: Write) -> None:
    write_audio(audio_path(published / "fma_large", 155_000), 3.0)
    failures = [r for r in open_source(published).list_recordings() if isinstance(r, Failure)]
    assert [(failure.uri, failure.stage) for failure in failures] == [("fma_large/155/155000.mp3", "list")]


def test_two_audio_folders_hold_the_same_tracks_so_one_must_be_named(published: Path) -> None:
    (published / "fma_full").mkdir()
    with pytest.raises(InvalidInput, match=r"fma_full and fma_large.*give one as PATH"):
        list(open_source(published).list_recordings())


def test_another_table_is_not_taken_for_tracks_csv(published: Path) -> None:
    tracks = published / "fma_metadata/tracks.csv"
    tracks.write_text("track_id,title\n2,Food\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"two header rows.*artist\.id.*set\.split"):
        list(open_source(published).list_recordings())
