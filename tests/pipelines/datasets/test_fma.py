"""FMA in the layout of its publication.

M. Defferrard et al., "FMA: A dataset for music analysis", ISMIR 2017; github.com/mdeff/fma. Its notebook
creation.ipynb writes tracks.csv with pandas from columns in two levels, sorted; its utils.get_audio_path
names a track's file; its issues #8, #4 and #44 list the clips without audio: 1,752 bytes that hold a
header and next to no music, as they were cut out behind the track's end.
"""

import shutil
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
        tracks.loc[track, ("artist", "bio")] = BIOGRAPHY if track == 2 else "Born."
        tracks.loc[track, ("album", "date_released")] = "2009-01-05 00:00:00"
    path.parent.mkdir(parents=True)
    tracks.sort_index(axis=1).to_csv(path)


def audio_path(folder: Path, track: int) -> Path:
    name = f"{track:06d}"
    return folder / name[:3] / (name + ".mp3")


@pytest.fixture
def published(original: Path, tmp_path: Path) -> Path:
    """A copy of the publication that a test may change."""
    return Path(shutil.copytree(original, tmp_path, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, write_audio: Write) -> Path:
    """The metadata, and fma_large with four tracks, three clips without audio and a checksum file."""
    folder = tmp_path_factory.mktemp("fma")
    write_tracks_csv(folder / "fma_metadata/tracks.csv")
    (folder / "fma_metadata/genres.csv").write_text(
        "genre_id,#tracks,parent,title,top_level\n", encoding="utf-8"
    )
    large = folder / "fma_large"
    for track in TRACKS:
        write_audio(audio_path(large, track), 3.0, rate=44_100, channels=2, seed=track)
    for track in WITHOUT_AUDIO:
        path = audio_path(large, track)
        path.write_bytes(path.read_bytes()[:1_752])
    (large / "checksums").write_text("0 000/000002.mp3\n", encoding="utf-8")
    return folder


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


def rewritten(published: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """The table with other lines; biographies are taken out, so that a line is a track."""
    tracks = published / "fma_metadata/tracks.csv"
    table = pd.read_csv(tracks, index_col=0, header=[0, 1])
    table[("artist", "bio")] = None
    table.to_csv(tracks)
    tracks.write_text("\n".join(change(tracks.read_text(encoding="utf-8").split("\n"))), encoding="utf-8")
    return tracks


def listed(folder: Path) -> dict[str, Recording]:
    found = open_source(folder).list_recordings()
    return {recording.uri[-10:-4]: recording for recording in found if isinstance(recording, Recording)}


def test_a_table_that_pandas_filtered_and_wrote_again_says_the_same(published: Path) -> None:
    """A column that gets a gap turns into floats: 20.0 listens, artist 1.0."""
    before = listed(published)
    tracks = published / "fma_metadata/tracks.csv"
    table = pd.read_csv(tracks, index_col=0, header=[0, 1])
    table = table.astype({("artist", "id"): float, ("track", "listens"): float})
    table.index = table.index.astype(float)
    table.index.name = "track_id"
    table.loc[140, ("track", "listens")] = None
    table[table.index != 1482].to_csv(tracks, na_rep="NaN")
    after = listed(published)
    assert "001482" not in after
    assert after["000002"] == before["000002"]
    assert (after["000140"].labels["listens"], after["000140"].group) == (None, "artist-54")


def test_a_table_with_blank_last_lines_and_semicolons_is_read(published: Path) -> None:
    before = listed(published)
    tracks = published / "fma_metadata/tracks.csv"
    table = pd.read_csv(tracks, index_col=0, header=[0, 1])
    table.to_csv(tracks, sep=";", lineterminator="\r\n")
    with tracks.open("a") as file:
        file.write(f"\n{';' * 52}\n\n")
    assert listed(published) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines[:5], lines[5][:40]], r"Line 6 of 'fma_metadata/tracks\.csv' has \d+ fields"),
        (lambda lines: [*lines[:4], "x" + lines[4], *lines[5:]], r"Line 5 of .*: track_id is 'x3'"),
        (lambda lines: [*lines[:4], lines[4].replace("3", "3.5", 1)], r"Line 5 of .*: track_id is '3\.5'"),
        (
            lambda lines: [*lines[:4], lines[4].replace(",30,", ",many,")],
            r"Line 5 of .*track\.listens is 'many'",
        ),
        (lambda lines: [*lines[:4], lines[4] + '"'], r"Line 5 of .* cannot be read as CSV"),
        (lambda lines: lines[1:], r"read_csv\(…, index_col=0, header=\[0, 1\]\)"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(
    published: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    rewritten(published, change)
    with pytest.raises(InvalidInput, match=said):
        list(open_source(published).list_recordings())


def test_kaggles_folders_of_the_same_name_are_fma_however_they_are_named(
    published: Path, tmp_path: Path
) -> None:
    nested = tmp_path / "kaggle"
    for name in ("fma_metadata", "fma_large"):
        (nested / name).mkdir(parents=True)
        (published / name).rename(nested / name / name)
    for path in (nested, nested / "fma_large", nested / "fma_large/fma_large"):
        source = open_source(path)
        assert source.format.name == "fma"
        uris = [r.uri for r in source.list_recordings() if isinstance(r, Recording)]
        assert uris[0] == "fma_large/fma_large/000/000002.mp3"
        assert len(uris) == len(TRACKS)


def test_fma_one_folder_deeper_is_found(published: Path, tmp_path: Path) -> None:
    deeper = tmp_path / "outer/fma"
    deeper.mkdir(parents=True)
    for name in ("fma_metadata", "fma_large"):
        (published / name).rename(deeper / name)
    source = open_source(tmp_path / "outer")
    assert (source.format.name, source.root.url) == ("fma", str(deeper))


def test_tracks_in_another_container_are_read_and_a_second_file_of_one_is_a_failure(
    published: Path, write_audio: Write
) -> None:
    path = audio_path(published / "fma_large", 140)
    write_audio(path.with_suffix(".flac"), 3.0)
    (failure,) = [r for r in open_source(published).list_recordings() if isinstance(r, Failure)]
    assert failure.uri.endswith("000140.mp3")
    path.unlink()
    uris = [r.uri for r in open_source(published).list_recordings() if isinstance(r, Recording)]
    assert "fma_large/000/000140.flac" in uris
