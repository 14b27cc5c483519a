"""One command trains everything that ships: here a few steps of it, from songs to models that load."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from pipelines.models.musicgen import load_musicgen
from pipelines.pocket.judge import load_judge
from pipelines.scorers.clap import load_clap
from store.errors import InvalidInput


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
    result = CliRunner().invoke(undertone, ["train-pocket", str(folder), "--smoke"], catch_exceptions=False)
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
    again = CliRunner().invoke(undertone, ["train-pocket", str(folder), "--smoke"], catch_exceptions=False)
    assert again.exit_code == 0
    assert stamps(folder) == before

    with pytest.raises(InvalidInput, match=r"was begun as .*smoke"):
        CliRunner().invoke(
            undertone, ["train-pocket", str(folder), "--smoke", "--seed", "3"], catch_exceptions=False
        )


def test_a_stage_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(undertone, ["train-pocket", str(tmp_path), "--stages", "codex"])
    assert result.exit_code != 0
    assert "codex" in str(result.exception)
    assert "codec" in str(result.exception)


def test_a_folder_of_another_recipe_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "codec").mkdir()
    with pytest.raises(InvalidInput, match="no training"):
        CliRunner().invoke(undertone, ["train-pocket", str(tmp_path), "--smoke"], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["codec"]


def test_a_stage_without_those_before_it_says_what_is_missing(tmp_path: Path) -> None:
    arguments = ["train-pocket", str(tmp_path / "new"), "--smoke", "--stages"]
    with pytest.raises(InvalidInput, match=r"Stage export needs .*joint\.pt"):
        CliRunner().invoke(undertone, [*arguments, "export"], catch_exceptions=False)
    curves = CliRunner().invoke(undertone, [*arguments, "curves"], catch_exceptions=False)
    assert "no model yet" in curves.output
