"""Files, labels and splits of a rendered dataset."""

import io
import os
import subprocess
import sys
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis import CONCEPTS, LABELS, plan_dataset, render_dataset
from pipelines.synthesis.dataset import split_of, spread
from store.errors import InvalidInput
from store.records import Label, Recording

Rendered = tuple[dict[str, bytes], list[Recording]]


def render(**options: Any) -> Rendered:
    files: dict[str, bytes] = {}
    recordings = list(render_dataset(files.__setitem__, **options))
    return files, recordings


@pytest.fixture(scope="module")
def small() -> Rendered:
    """Forty clips of all concepts: (bytes by uri, recordings)."""
    return render(clips=40, seed=7)


def test_the_same_seed_gives_the_same_bytes(small: Rendered) -> None:
    assert render(clips=40, seed=7)[0] == small[0]


def test_another_seed_gives_other_clips(small: Rendered) -> None:
    other = render(clips=40, seed=8)[0]
    assert sum(other[uri] == content for uri, content in small[0].items()) <= 2


def test_a_part_rendered_alone_and_a_larger_dataset_have_the_same_files(small: Rendered) -> None:
    part = render(clips=9, seed=7, concepts=["chords"])[0]
    assert {uri for uri in small[0] if uri.startswith("chords/")} < set(part)
    assert all(content == part[uri] for uri, content in small[0].items() if uri in part)


def test_another_process_gives_the_same_bytes(small: Rendered) -> None:
    program = (
        "from hashlib import sha256\n"
        "from pipelines.synthesis import render_dataset\n"
        "def write(uri, content): print(uri, sha256(content).hexdigest())\n"
        "for _ in render_dataset(write, clips=40, seed=7): pass"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout
    expected = {uri: sha256(content).hexdigest() for uri, content in small[0].items()}
    assert dict(line.split() for line in printed.splitlines()) == expected


def test_files_are_sixteen_bit_mono_of_exact_length_neither_clipped_nor_silent(small: Rendered) -> None:
    for uri, content in small[0].items():
        information = soundfile.info(io.BytesIO(content))
        assert (information.samplerate, information.channels, information.frames) == (32_000, 1, 128_000)
        assert (information.format, information.subtype) == ("FLAC", "PCM_16")
        samples, _ = soundfile.read(io.BytesIO(content), dtype="int16")
        peak = np.abs(samples.astype(int)).max() / 32768
        assert 10 ** (-10.1 / 20) <= peak <= 10 ** (-0.9 / 20), uri
        assert np.sqrt(np.mean((samples / 32768.0) ** 2)) > 0.003, uri


@pytest.mark.parametrize(("sample_rate", "clip_seconds"), [(16_000, 2.5), (44_100, 0.75), (32_000, 9.0)])
def test_any_rate_and_length_gives_files_of_that_rate_and_length(
    sample_rate: int, clip_seconds: float
) -> None:
    files, _ = render(clips=8, seed=0, sample_rate=sample_rate, clip_seconds=clip_seconds)
    for content in files.values():
        samples, rate = soundfile.read(io.BytesIO(content))
        assert (rate, len(samples)) == (sample_rate, round(sample_rate * clip_seconds))
        assert np.abs(samples[-sample_rate // 2 :]).max() > 0


def test_a_folder_gets_the_files_that_the_recordings_name(tmp_path: Path) -> None:
    folder = tmp_path / "Klänge und mehr"
    recordings = list(render_dataset(folder, clips=8, seed=0))
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == sorted(
        recording.uri for recording in recordings
    )


def test_a_file_is_written_before_its_recording_is_yielded() -> None:
    files: dict[str, bytes] = {}
    for recording in render_dataset(files.__setitem__, clips=3, seed=0, concepts=["notes"]):
        assert list(files)[-1] == recording.uri


def test_clips_are_spread_evenly_over_the_concepts(small: Rendered) -> None:
    assert set(Counter(recording.labels["concept"] for recording in small[1]).items()) == {
        (name, 5) for name in CONCEPTS
    }


def test_every_recording_has_every_documented_label_and_columns_have_one_type() -> None:
    types: dict[str, set[type]] = defaultdict(set)
    for planned in plan_dataset(concepts=list(CONCEPTS), clips=400, seed=0):
        assert list(planned.recording.labels) == list(LABELS)
        for name, value in planned.recording.labels.items():
            types[name].add(type(value))
    assert all(len(kinds - {NoneType}) == 1 for kinds in types.values()), types


def test_every_concept_has_its_main_label() -> None:
    for name, concept in CONCEPTS.items():
        planned = next(plan_dataset(concepts=[name], clips=1, seed=0))
        assert planned.recording.labels[concept.label] is not None
        assert planned.recording.labels["caption"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concepts": ["chord"]}, r"'chord'.*notes, intervals, scales, chords.*styles"),
        ({"concepts": []}, "no concept"),
        ({"clips": 0}, r"0 clips.*1 …"),
        ({"clips": 1201, "concepts": ["time_signatures"]}, r"1201 clips.*1,200"),
        ({"sample_rate": 4000}, r"4000 Hz.*8000 … 96000"),
        ({"clip_seconds": 0.1}, r"0\.1 s.*0\.5 s"),
    ],
)
def test_impossible_requests_are_refused_before_anything_is_written(
    options: dict[str, Any], message: str
) -> None:
    files: dict[str, bytes] = {}
    with pytest.raises(InvalidInput, match=message):
        render_dataset(files.__setitem__, **{"clips": 8, "seed": 0, **options})
    assert not files


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.data())
def test_shares_add_up_fit_the_grids_and_differ_only_where_a_grid_is_too_small(
    sizes: list[int], data: st.DataObject
) -> None:
    clips = data.draw(st.integers(1, sum(sizes)))
    shares = spread(clips, sizes)
    assert sum(shares) == clips
    assert all(share <= size for share, size in zip(shares, sizes, strict=True))
    unfilled = [share for share, size in zip(shares, sizes, strict=True) if share < size]
    if unfilled:
        assert max(shares) - min(unfilled) <= 1


def test_a_group_is_never_cut_by_the_split() -> None:
    splits: dict[str, set[str | None]] = defaultdict(set)
    for planned in plan_dataset(concepts=list(CONCEPTS), clips=1600, seed=0):
        splits[planned.recording.group].add(planned.recording.split)
    assert all(len(found) == 1 for found in splits.values())


def test_seventy_percent_of_groups_train() -> None:
    shares = Counter(split_of(f"group {number}") for number in range(20_000))
    assert shares["train"] / 20_000 == pytest.approx(0.70, abs=0.015)
    assert shares["validation"] / 20_000 == pytest.approx(0.15, abs=0.012)


@pytest.mark.parametrize("name", [name for name in CONCEPTS if name != "tempos"])
def test_every_split_has_every_main_label(name: str) -> None:
    concept = CONCEPTS[name]
    labels: dict[str | None, set[Label]] = defaultdict(set)
    for planned in plan_dataset(concepts=[name], clips=1200, seed=0):
        labels[planned.recording.split].add(planned.recording.labels[concept.label])
    assert labels["train"] == labels["validation"] == labels["test"]
