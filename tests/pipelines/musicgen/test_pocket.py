"""The built-in model: the same everywhere, and there whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipelines.models.named import describe_model
from pipelines.pocket.checkpoint import write_random_pocket
from pipelines.user_cache import build_once, cache_folder

FINGERPRINT = "6b320700495c5ded"
CODEC_FINGERPRINT = "81f210a7f399bac0"


def test_the_weights_are_those_of_every_other_machine() -> None:
    info = describe_model("pocket-random")
    assert (info.fingerprint, info.codec_fingerprint) == (FINGERPRINT, CODEC_FINGERPRINT)


def test_a_second_build_with_other_threads_and_random_state_gives_the_same_fingerprints(
    tmp_path: Path,
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    torch.manual_seed(12345)
    try:
        write_random_pocket(tmp_path)
    finally:
        torch.set_num_threads(before)
    info = describe_model(str(tmp_path))
    assert (info.fingerprint, info.codec_fingerprint) == (FINGERPRINT, CODEC_FINGERPRINT)
    assert info.random_weights


def test_the_checkpoint_names_no_place_of_the_machine_it_was_built_on(pocket_folder: Path) -> None:
    for file in pocket_folder.rglob("*"):
        if file.is_file():
            assert str(pocket_folder.parent).encode() not in file.read_bytes(), file


def test_weights_are_built_in_the_users_cache_and_only_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "undertone"
    builds: list[Path] = []
    for _ in range(2):
        build_once(cache_folder() / "model", builds.append)
    assert len(builds) == 1


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        build_once(tmp_path / "cache" / "model", fail)
    assert list((tmp_path / "cache").iterdir()) == []


BUILD_SLOWLY = """
import sys, time
from pathlib import Path
from pipelines.user_cache import build_once

here, number = Path(sys.argv[1]), sys.argv[2]

def build(draft):
    (draft / "first").write_text(number)
    (here / f"arrived-{number}").touch()
    while len(list(here.glob("arrived-*"))) < 3:
        time.sleep(0.01)
    time.sleep(0.3 * int(number))
    (draft / "second").write_text(number)

build_once(here / "cache" / "model", build)
"""


def test_of_processes_that_build_at_once_the_first_to_finish_wins(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", BUILD_SLOWLY, tmp_path, str(number)]) for number in range(3)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    folder = tmp_path / "cache" / "model"
    assert (folder / "first").read_text() == (folder / "second").read_text() == "0"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("pocket_folder")
def test_loading_prints_nothing_and_leaves_laion_clap_alone() -> None:
    code = (
        "import gc, sys; from pipelines.models.musicgen import load_musicgen; load_musicgen('pocket'); "
        "assert 'audiocraft.models' in sys.modules; assert 'laion_clap' not in sys.modules; "
        "assert gc.isenabled() and not gc.get_freeze_count()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
