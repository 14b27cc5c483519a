"""Damaged vectors, stored files that are no sound, and names that no file can have: a sentence for each."""

import json
import random
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.cli.unforeseen import sentence_of
from jobs.directions.files import imported_rows, read_file
from jobs.generate.records import audio_key, opened_sound
from jobs.sweep.scoring import read_samples
from store.errors import CorruptData, InvalidInput, UndertoneError
from store.objects.ledger import commit, never
from store.opening import Store, open_store

ROUNDS = 300


def read_or_refuse(path: Path) -> None:
    """Reads what can be read; anything but a refusal is raised."""
    with suppress(UndertoneError):
        directions, described = read_file(path)
        if described is not None:
            imported_rows(described, directions)


def write_vectors(path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, np.ones((3, 8), np.float32))
        return
    from safetensors.numpy import save_file

    metadata = {"format": "undertone vectors", "version": "1", "vectors": '[{"vector_id": "x", "layer": 1}]'}
    save_file({"direction.1": np.ones(8, np.float32)}, path, metadata=metadata)


@pytest.mark.parametrize("ending", [".npy", ".safetensors"])
def test_damaged_directions_end_in_a_sentence_wherever_the_damage_is(tmp_path: Path, ending: str) -> None:
    path, chance = tmp_path / f"a{ending}", random.Random(0)
    write_vectors(path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 3):
        path.write_bytes(whole[:cut])
        read_or_refuse(path)
    for _ in range(ROUNDS):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(bytes(damaged))
        read_or_refuse(path)


def test_a_header_that_promises_terabytes_takes_no_memory(tmp_path: Path) -> None:
    write_vectors(tmp_path / "a.npy")
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole.replace(b"(3, 8), }           ", b"(999999999999, 8), }"))
    with pytest.raises(InvalidInput, match="cannot be read as directions"):
        read_file(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a"]),
        np.array([1 + 2j]),
        np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
        np.array([None], dtype=object),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([True]),
        np.array([np.nan]),
        np.array([np.inf]),
        np.ones((2, 3, 4)),
    ],
)
def test_an_array_that_is_no_direction_is_refused(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InvalidInput, match="cannot be read as directions"):
        read_file(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "[]",
            "3",
            "{}",
            '{"layers": 3}',
            '{"layers": [0, 1]}',
            '{"layers": [1e400, 1, 2]}',
            "[" * 100_000,
        ),
        *('{"layers": [0, 1, 2], "format": "undertone vectors"}', "\xff", '{"layers": ["a", 1, 2]}'),
    ],
)
def test_a_damaged_description_beside_an_array_is_refused(tmp_path: Path, text: str) -> None:
    write_vectors(tmp_path / "a.npy")
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(InvalidInput, match="cannot be read as directions"):
        read_file(tmp_path / "a.npy")


def store_with(folder: Path, data: bytes) -> Store:
    """A new store whose sound x1 is a recorded file of these bytes."""
    store = open_store(folder, create=True)
    assert commit(store.objects, audio_key("x1"), data, kind="sound", sound=never)
    return store


def sound(tags: str) -> bytes:
    import io

    import soundfile

    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 16_000, 1, "PCM_16", format="FLAC") as file:
        file.comment = tags
        file.write(np.zeros(1600))
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"no sound", b"fLaC", b"RIFF\x00\x00\x00\x00WAVE", b"\x00" * 5000])
def test_a_stored_sound_that_is_no_audio_is_named(tmp_path: Path, data: bytes) -> None:
    store = store_with(tmp_path / "s", data)
    with pytest.raises(CorruptData, match=r"/s/audio/x1\.flac is no sound.*generate it again"):
        read_samples(store, "x1")
    with pytest.raises(CorruptData, match="is no sound"), opened_sound(store, "x1") as file:
        file.read()


@pytest.mark.parametrize("data", [b"no sound", sound("other tags")])
def test_the_cure_of_a_recorded_file_that_is_no_sound_makes_room_for_the_sound(
    tmp_path: Path, data: bytes
) -> None:
    store = store_with(tmp_path / "s", data)
    with pytest.raises(CorruptData) as error:
        read_samples(store, "x1")
    cure = re.search(r"Delete (\S+), run `undertone (.*)`, then generate it again", str(error.value))
    assert cure
    Path(cure[1]).unlink()
    CliRunner().invoke(undertone, shlex.split(cure[2]), catch_exceptions=False)
    assert commit(store.objects, audio_key("x1"), sound("{}"), kind="sound", sound=never)


@pytest.mark.parametrize("tags", ["no JSON", "{}", "3", '{"audio_prompt": 3}'])
def test_a_stored_sound_of_another_tool_is_named(tmp_path: Path, tags: str) -> None:
    with pytest.raises(CorruptData, match="other tags"):
        read_samples(store_with(tmp_path / "other", sound(tags)), "x1")
    written = sound(json.dumps({"audio_prompt": None}))
    assert len(read_samples(store_with(tmp_path / "own", written), "x1")[0]) == 1600


def test_a_dataset_name_of_300_letters_is_refused_with_a_cure(audio: Path, tmp_path: Path) -> None:
    for command in (["add", "s", "n" * 300, str(audio)], ["synth", "s", "n" * 300]):
        result = CliRunner().invoke(undertone, ["dataset", command[0], str(tmp_path / "s"), *command[2:]])
        assert isinstance(result.exception, InvalidInput)
        assert "300 characters" in str(result.exception)
        assert "Choose a shorter one" in str(result.exception)
    assert not (tmp_path / "s").exists()


def test_a_run_name_of_300_letters_is_a_sentence(store: str) -> None:
    for name in ("n" * 300, "é" * 300, "../" * 100, "a\0b"):
        with pytest.raises(UndertoneError):
            open_store(store).run(name)


@pytest.mark.parametrize("length", [300, 5000])
def test_a_table_name_of_300_letters_is_read_or_refused(store: str, tmp_path: Path, length: int) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    name = "t" * length
    arguments = ["sql", store, f"SELECT a FROM {name}", "--table", f"{name}={tmp_path / 't.csv'}"]
    result = CliRunner().invoke(undertone, arguments)
    assert result.exception is None or sentence_of(result.exception)
    missing = CliRunner().invoke(undertone, ["sql", store, "SELECT 1", "--table", f"t={'x' * length}.csv"])
    assert missing.exception is not None
    assert sentence_of(missing.exception)
