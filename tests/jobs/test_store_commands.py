"""status, verify, repair and demo, as a user types them."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.cli.main import main
from jobs.demo import running
from jobs.engine.heartbeat import heartbeat
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.sweep.configuration import find_sweep
from store import open_store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def undertone(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line; return exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_info:
            main(arguments)
        captured = capsys.readouterr()
        code = exit_info.value.code
        assert isinstance(code, int)
        return code, captured.out, captured.err

    return run


@pytest.fixture
def extracted(store: str) -> str:
    run_extraction(ExtractOptions(store, "tones", model="pocket-random", engine="inline", unit_clips=4))
    return store


def flip_a_byte(store: str) -> Path:
    shard = sorted(Path(store).glob("runs/*/activations.zarr/resid.mean/c*"))[1]
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    return shard


def test_status_lists_a_run_with_its_size_and_says_that_its_weights_are_random(
    extracted: str, undertone: Run
) -> None:
    code, output, _ = undertone("status", extracted)
    assert code == 0
    assert "complete" in output
    assert "random weights" in output
    [run] = json.loads(undertone("status", extracted, "--format", "json")[1])
    stored = sum(path.stat().st_size for path in Path(extracted).glob("runs/*/activations.zarr/*/c*"))
    assert (run["clips"], run["failed"], run["layers"], run["bytes"]) == (11, 0, 8, stored)


def test_status_of_one_run_tells_units_arrays_and_time(extracted: str, undertone: Run) -> None:
    code, output, _ = undertone("status", extracted, "tones-pocket")
    assert code == 0
    for part in ("3 of 3", "attn.mean", "forward", " 8 layers\n"):
        assert part in output
    assert " 8 layers\n" in undertone("run", "show", extracted, "latest")[1]


def test_status_of_a_run_that_lacks_a_unit_is_partial(extracted: str, undertone: Run) -> None:
    shutil.rmtree(next(Path(extracted).glob("records/runs/*/complete")))
    min(Path(extracted).glob("runs/*/commits/*.json")).unlink()
    [run] = json.loads(undertone("status", extracted, "--format", "json")[1])
    assert (run["state"], run["clips"]) == ("partial", 7)


def test_status_names_a_damaged_run_and_a_dataset_that_is_gone(extracted: str, undertone: Run) -> None:
    marker = min(Path(extracted).glob("runs/*/commits/*.json"))
    marker.unlink()
    for folder in ("datasets/tones", "records/datasets/tones"):
        shutil.rmtree(Path(extracted) / folder)
    code, _, errors = undertone("status", extracted)
    assert code == 1
    assert marker.name in errors
    assert re.search(r"datasets/tones/dataset.json: \S+ was made from this dataset, which is gone", errors)


def test_status_names_a_run_and_a_dataset_that_lost_their_records(extracted: str, undertone: Run) -> None:
    for kind in ("runs", "datasets"):
        shutil.rmtree(Path(extracted) / "records" / kind)
    code, output, errors = undertone("status", extracted)
    assert (code, output) == (1, "")
    assert "datasets/tones, runs/tones-pocket" in errors
    assert "have no record" in errors


def test_status_says_that_no_record_tells_of_a_complete_run(extracted: str, undertone: Run) -> None:
    shutil.rmtree(next(Path(extracted).glob("records/runs/*/complete")))
    code, output, errors = undertone("status", extracted)
    assert (code, "11 of 11" in output) == (1, True)
    assert "everything is committed, but no record says so" in errors
    open_store(extracted).run("tones").beat("a driver")  # which is about to write it
    assert undertone("status", extracted)[::2] == (0, "")


def test_what_a_command_has_not_finished_is_no_damage(extracted: str, undertone: Run) -> None:
    sound = Path(extracted) / "datasets/rendered/audio/0.flac"
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"")
    code, _, errors = undertone("status", extracted)
    assert (code, "datasets/rendered has no record" in errors) == (0, True)


def test_status_of_an_empty_store_says_what_to_do(store: str, undertone: Run) -> None:
    assert "undertone extract" in undertone("status", store)[1]


def test_a_flipped_byte_is_found_withdrawn_and_computed_again(extracted: str, undertone: Run) -> None:
    whole = sorted(Path(extracted).glob("runs/*/activations.zarr/resid.mean/c*"))[1].read_bytes()
    assert undertone("verify", extracted)[0] == 0
    shard = flip_a_byte(extracted)
    code, output, _ = undertone("verify", extracted)
    assert code == 1
    assert "disagrees with its checksum" in output
    assert shard.name in output
    with heartbeat(open_store(extracted).run("tones")):
        code, _, errors = undertone("repair", extracted)
        assert (code, "at work" in errors) == (1, True)
    assert undertone("repair", extracted)[0] == 0
    assert not shard.exists()
    command = [
        "extract",
        extracted,
        "tones",
        "--model",
        "pocket-random",
        "--engine",
        "inline",
        "--unit-clips",
        "4",
    ]
    assert undertone(*command)[0] == 0
    assert shard.read_bytes() == whole
    assert undertone("verify", extracted)[0] == 0


def test_a_mistake_is_one_line_without_a_traceback(store: str, undertone: Run) -> None:
    for arguments, words in (
        (("extract", store, "tunes", "--engine", "inline"), "tunes"),
        (("status", f"{store}-elsewhere"), "undertone dataset add"),
        (("verify", store, "no-such-run"), "no-such-run"),
        (("extract", store, "tones", "--model", "facebook/musicgen-huge"), "facebook/musicgen-small"),
    ):
        code, output, errors = undertone(*arguments)
        assert (code, output) == (1, "")
        assert errors.startswith("Error: ")
        assert words in errors
        assert "Traceback" not in errors


def test_wrong_usage_exits_with_2(undertone: Run) -> None:
    assert undertone("extract")[0] == 2
    assert undertone("extract", "a", "b", "--dtype", "int8")[0] == 2


@pytest.mark.slow
def test_the_demo_answers_its_questions_draws_a_report_and_does_so_again_when_repeated(
    tmp_path: Path, undertone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = find_sweep(running.SWEEP).read_text().replace("seconds = 4.0", "seconds = 2.0")
    assert "seconds = 2.0" in shorter
    (tmp_path / "shorter.toml").write_text(shorter)
    monkeypatch.setattr(running, "SWEEP", str(tmp_path / "shorter.toml"))
    folder = tmp_path / "une démo"
    code, output, errors = undertone("demo", str(folder), "--clips", "48", "--engine", "inline")
    assert code == 0, errors
    assert "Everything is intact." in output
    assert len(re.findall("^SELECT", output, re.MULTILINE)) == 7
    assert output.count("rows)") + output.count("row)") == 10  # the answers, and tables of what was fitted
    assert "(0 rows)" not in output
    assert re.search(r"^style +pocket-clap +stage", output, re.MULTILINE)
    assert "- style in the best layer of each model: pocket " in output
    assert 'class="specification"' in (folder / "report.html").read_text()
    assert undertone("demo", str(folder), "--clips", "48", "--engine", "inline")[0] == 0
