"""SynTheory in the layout of its publication.

M. Wei et al., "Do music generation models encode music theory?", ISMIR 2024;
github.com/brown-palm/syntheory: dataset/synthetic/dataset_writer.py writes <concept>/info.csv with pandas
beside the audio; columns and file names are those of dataset/synthetic/{chords,notes,tempos,
time_signatures}.py. Audio: 4 seconds, WAV.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import open_source
from store.errors import InvalidInput
from store.records import Failure, Recording

Write = Callable[..., NDArray[np.float32]]
INSTRUMENTS = {0: "Acoustic Grand Piano", 40: "Violin"}


def write_info(folder: Path, rows: list[dict[str, Any]]) -> None:
    """As DatasetWriter does: a row_id first, sorted by it, no index column."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.json_normalize([{"row_id": number, **row} for number, row in enumerate(rows)])
    table.sort_values(by=["row_id"]).to_csv(folder / "info.csv", index=False)


def write_chords(root: Path, write: Write) -> None:
    rows = []
    for root_note, quality in (("C", "major"), ("C#", "dim")):
        for program, instrument in INSTRUMENTS.items():
            stem = f"{root_note}_{quality}_5_{program}_{instrument.replace(' ', '_')}"
            write(root / f"chords/{stem}.wav", 4.0, rate=44_100, channels=2)
            (root / f"chords/{stem}.mid").write_bytes(b"MThd")
            rows.append(
                {
                    "root_note_name": root_note,
                    "chord_type": quality,
                    "inversion": "5",
                    "root_note_is_accidental": root_note.endswith("#"),
                    "root_note_pitch_class": 0,
                    "midi_program_num": program,
                    "midi_program_name": instrument,
                    "midi_category": "Piano Timbres",
                    "midi_file_path": f"{stem}.mid",
                    "synth_file_path": f"{stem}.wav",
                    "synth_soundfont": "TimGM6mb.sf2",
                    "is_silent": False,
                }
            )
    write_info(root / "chords", rows)


def write_tempos(root: Path, write: Write) -> None:
    rows = []
    for bpm in (50, 51):
        whole = f"{bpm}_bpm_woodblock_dark"
        write(root / f"tempos/{whole}.wav", 20.0, rate=8_000)
        for offset in range(2):
            write(root / f"tempos/{whole}_offset_{offset}.wav", 4.0, rate=44_100, seed=offset)
            rows.append(
                {
                    "bpm": bpm,
                    "click_config_name": "woodblock_dark",
                    "midi_program_num": 115,
                    "midi_file_path": f"{whole}.mid",
                    "synth_file_path": f"{whole}.wav",
                    "offset_file_path": f"{whole}_offset_{offset}.wav",
                    "offset_time": str(0.5 * offset),
                    "synth_soundfont": "TimGM6mb.sf2",
                    "is_silent": False,
                }
            )
    write_info(root / "tempos", rows)


@pytest.fixture
def published(tmp_path: Path, write_audio: Write) -> Path:
    write_chords(tmp_path / "data", write_audio)
    write_tempos(tmp_path / "data", write_audio)
    return tmp_path / "data"


def test_every_row_of_every_concept_is_a_recording_of_four_seconds(published: Path) -> None:
    source = open_source(published)
    assert (source.format.name, source.format.clip_seconds) == ("syntheory", 4.0)
    results = list(cut_recordings(source.root, source.list_recordings(), ClipSpec("s", 4.0, 4.0)))
    assert not [result for result in results if isinstance(result, Failure)]
    assert [len(result) for result in results if not isinstance(result, Failure)] == [1] * 8


def test_columns_become_labels_and_instruments_groups(published: Path) -> None:
    recordings = [r for r in open_source(published).list_recordings() if isinstance(r, Recording)]
    assert recordings[3] == Recording(
        "chords/C#_dim_5_40_Violin.wav",
        group="Violin",
        split=None,
        labels={
            "concept": "chords",
            "row_id": 3,
            "root_note_name": "C#",
            "chord_type": "dim",
            "inversion": 5,
            "root_note_is_accidental": True,
            "root_note_pitch_class": 0,
            "midi_program_num": 40,
            "midi_program_name": "Violin",
            "midi_category": "Piano Timbres",
            "is_silent": False,
        },
    )


def test_excerpts_of_one_rendering_share_a_group_and_the_rendering_itself_is_no_recording(
    published: Path,
) -> None:
    tempos = [r for r in open_source(published / "tempos").list_recordings() if isinstance(r, Recording)]
    assert [(r.uri, r.group, r.labels["bpm"], r.labels["concept"]) for r in tempos] == [
        ("50_bpm_woodblock_dark_offset_0.wav", "tempos/50_bpm_woodblock_dark.wav", 50, "tempos"),
        ("50_bpm_woodblock_dark_offset_1.wav", "tempos/50_bpm_woodblock_dark.wav", 50, "tempos"),
        ("51_bpm_woodblock_dark_offset_0.wav", "tempos/51_bpm_woodblock_dark.wav", 51, "tempos"),
        ("51_bpm_woodblock_dark_offset_1.wav", "tempos/51_bpm_woodblock_dark.wav", 51, "tempos"),
    ]


def test_a_folder_without_info_csv_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"has no info\.csv"):
        list(open_source(tmp_path, "syntheory").list_recordings())
