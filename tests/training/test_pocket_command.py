"""One command trains everything that ships: here a few steps of it, from songs to models that load."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from jobs.cli.main import COMMANDS
from pipelines.models.musicgen import load_musicgen
from pipelines.pocket.judge import load_judge
from pipelines.scorers.clap import load_clap
from store.errors import InvalidInput
from store.opening import open_store
from training.pocket.command import train_pocket


def stamps(folder: Path) -> dict[str, int]:
    """When each file that a training leaves was last written."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*.pt")
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")  # of a codec after two steps
def test_a_training_leaves_models_that_load_and_is_not_done_twice(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    result = CliRunner().invoke(train_pocket, [str(folder), "--smoke"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    model = load_musicgen(str(folder / "checkpoint"))
    assert (model.info.layers, model.info.width, model.info.codebooks) == (8, 128, 4)
    silence = np.zeros((1, 64_000), np.float32)
    clap = load_clap(str(folder / "pocket-clap"))
    assert clap.embed_audio(silence).shape == (1, clap.info.width)
    style, probabilities = load_judge(folder / "judge.safetensors").probabilities(silence, 16_000)["style"]
    assert probabilities.shape == (1, len(style))
    assert (folder / "curves.svg").read_text(encoding="utf-8").startswith("<svg")

    before = stamps(folder)
    again = CliRunner().invoke(train_pocket, [str(folder), "--smoke"], catch_exceptions=False)
    assert again.exit_code == 0
    assert stamps(folder) == before

    with pytest.raises(InvalidInput, match=r"was begun as .*smoke"):
        CliRunner().invoke(train_pocket, [str(folder), "--smoke", "--seed", "3"], catch_exceptions=False)


def test_a_stage_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(train_pocket, [str(tmp_path), "--stages", "codex"])
    assert result.exit_code != 0
    assert "codex" in str(result.exception)
    assert "codec" in str(result.exception)


def test_a_folder_of_another_recipe_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "codec").mkdir()
    with pytest.raises(InvalidInput, match="no training"):
        CliRunner().invoke(train_pocket, [str(tmp_path), "--smoke"], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["codec"]


def test_a_stage_without_those_before_it_says_what_is_missing(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "new"), "--smoke", "--stages"]
    with pytest.raises(InvalidInput, match=r"Stage export needs .*joint\.pt"):
        CliRunner().invoke(train_pocket, [*arguments, "export"], catch_exceptions=False)
    curves = CliRunner().invoke(train_pocket, [*arguments, "curves"], catch_exceptions=False)
    assert "no model yet" in curves.output


def test_a_folder_in_a_store_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path / "music.store", create=True)
    with pytest.raises(InvalidInput, match="lies in the store"):
        CliRunner().invoke(train_pocket, [str(tmp_path / "music.store/results")], catch_exceptions=False)


def test_a_users_mistake_is_a_sentence_and_the_product_lacks_the_command(tmp_path: Path) -> None:
    begun = subprocess.run(
        [sys.executable, "-m", "training.pocket", str(tmp_path / "new"), "--stages", "codex"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert begun.returncode == 1
    assert begun.stderr.startswith("Error: There is no stage 'codex'. Choose from corpus, ")
    assert not list(tmp_path.iterdir())
    assert "train-pocket" not in COMMANDS
