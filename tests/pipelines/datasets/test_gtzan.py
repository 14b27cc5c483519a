"""GTZAN in the layout of its publication.

Layout: G. Tzanetakis, P. Cook, "Musical genre classification of audio signals", IEEE TSAP 10(5), 2002;
`genres.tar.gz` of marsyas.info unpacks to genres/<genre>/<genre>.00000.au … .00099.au, later copies hold
.wav. Split: C. Kereliuk, B. Sturm, J. Larsen, "Deep learning and music adversaries", IEEE TMM 17(11),
2015, files gtzan/{train,valid,test}_filtered.txt of github.com/coreyker/dnn-mgr: 443, 197 and 290 lines.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import open_source
from pipelines.datasets.gtzan import fault_filtered_splits
from store.records import Failure, Recording

Write = Callable[..., NDArray[np.float32]]
PUBLISHED_GENRES = [
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
]


@pytest.fixture(
    params=[("genres", "au"), ("genres_original", "wav"), ("Data/genres_original", "wav"), ("", "au")]
)
def published(request: pytest.FixtureRequest, tmp_path: Path, write_audio: Write) -> Path:
    """Two excerpts of each genre, 22,050 Hz mono 16 bit, with what lies beside them in the copies around."""
    folder, suffix = request.param
    for genre in PUBLISHED_GENRES:
        for number in (0, 29):
            path = tmp_path / folder / genre / f"{genre}.{number:05d}.{suffix}"
            write_audio(path, 3.0, rate=22_050, seed=number, subtype="PCM_16")
    (tmp_path / folder / f"jazz/jazz.00054.{suffix}").write_bytes(b"\0" * 10_000)
    (tmp_path / folder / "bextract_single.mf").write_text("marsyas", encoding="utf-8")
    write_audio(tmp_path / folder / "jazz/my own recording.wav", 1.0)
    return tmp_path


def test_it_is_recognised_and_the_damaged_excerpt_is_a_failure(published: Path) -> None:
    source = open_source(published)
    assert source.format.name == "gtzan"
    results = list(cut_recordings(source.root, source.list_recordings(), ClipSpec("gtzan", 3.0, 3.0)))
    failures = [result for result in results if isinstance(result, Failure)]
    clips = [clip for result in results if not isinstance(result, Failure) for clip in result]
    assert [(Path(failure.item).stem, failure.stage) for failure in failures] == [("jazz.00054", "probe")]
    assert Counter(clip.labels["genre"] for clip in clips) == dict.fromkeys(PUBLISHED_GENRES, 2)


def test_each_excerpt_is_its_own_group_and_has_the_published_split(published: Path) -> None:
    recordings = {r.group: r for r in open_source(published).list_recordings() if isinstance(r, Recording)}
    assert len(recordings) == 21
    assert recordings["blues.00029"].split == "train"
    assert recordings["blues.00000"].split == "validation"
    assert recordings["jazz.00054"].labels == {"genre": "jazz"}


def test_the_split_has_the_published_sizes_and_leaves_out_faults() -> None:
    splits = fault_filtered_splits()
    assert Counter(splits.values()) == {"train": 443, "validation": 197, "test": 290}
    first_and_last_lines = {
        "train": ("blues.00029", "rock.00099"),
        "validation": ("blues.00000", "rock.00085"),
        "test": ("blues.00012", "rock.00090"),
    }
    for split, excerpts in first_and_last_lines.items():
        assert {splits[excerpt] for excerpt in excerpts} == {split}
    assert {genre.partition(".")[0] for genre in splits} == set(PUBLISHED_GENRES)
    assert len(splits) == 930


@pytest.mark.parametrize(
    "layout",
    [
        "genres/{genre}/{name}.flac",
        "{genre}/{name}.WAV",
        "genres/{genre}/{name}.mp3",
        "gtzan_genre/genres/{genre}/{name}.wav",
        "archive/Data/genres_original/{genre}/{name}.wav",
    ],
)
def test_other_containers_and_folders_deeper_are_gtzan_with_its_splits(tmp_path: Path, layout: str) -> None:
    for genre in PUBLISHED_GENRES:
        path = tmp_path / layout.format(genre=genre, name=f"{genre}.00029")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    source = open_source(tmp_path)
    assert source.format.name == "gtzan"
    recordings = [r for r in source.list_recordings() if isinstance(r, Recording)]
    splits = fault_filtered_splits()
    assert {r.group: r.split for r in recordings} == {
        f"{genre}.00029": splits.get(f"{genre}.00029") for genre in PUBLISHED_GENRES
    }


def test_what_is_left_out_is_said(published: Path) -> None:
    remarks: list[str] = []
    list(open_source(published).list_recordings(remarks.append))
    (passed_over, left_out) = remarks
    assert passed_over == "1 file passed over, as its name does not say audio: 1 .mf."
    assert "1 audio files are left out" in left_out
    assert "my own recording.wav" in left_out


def test_folders_of_many_labels_are_not_searched_for_genres(tmp_path: Path) -> None:
    for genre in PUBLISHED_GENRES:
        (tmp_path / "artist 0/live" / genre).mkdir(parents=True)
    for number in range(1, 5):
        (tmp_path / f"artist {number}").mkdir()
    assert open_source(tmp_path).format.name == "folder"
