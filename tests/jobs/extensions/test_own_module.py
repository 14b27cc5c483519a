"""A user's own torch module: the file of the documentation, by its path and by an entry point."""

import pickle
import shlex
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import undertone as ut
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from pipelines.audio.clips import decode_clip
from pipelines.audio.files import Root
from pipelines.models.named import describe_model, load_readable_model, pinned_name
from pipelines.models.own_code import ModelFile
from store import open_store
from store.errors import InvalidInput, JobFailed, ModelError, NotFound
from undertone_testing.encoders import EncoderConformance

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]


@pytest.fixture
def page(install_page: Callable[[str], Any]) -> Any:
    """The page, its package installed."""
    return install_page("own-module")


@pytest.fixture
def file(page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's file, in the folder where a user works."""
    path = tmp_path / "my_model.py"
    path.write_text(page.code, "utf-8")
    monkeypatch.chdir(tmp_path)
    return path


def test_the_file_of_the_documentation_is_short_and_extracts_what_it_computes(
    page: Any, file: Path, store: str, undertone: Run
) -> None:
    assert page.code.count("\n") < 60
    (line,) = page.commands
    code, _, err = undertone(*shlex.split(line)[1:], "--engine", "inline")
    assert code == 0, err
    assert err.count("runs code of your own, my_model.py (SHA-256") == 1
    opened = open_store(store)
    (run_id,) = opened.runs()
    run = opened.run(run_id)
    assert run.document["model"]["name"] == "my_model"
    assert run.document["model"]["code"] == {"my_model.py": sha256(file.read_bytes()).hexdigest()}
    assert set(run.arrays) == {
        f"{site}.{kept}" for site in ("front", "resid", "mlp") for kept in ("mean", "frames")
    }
    clip = next(one for one in opened.dataset("tones").clips() if one.uri.startswith("high"))
    names: dict[str, Any] = {}
    exec(compile(page.code, "page", "exec"), names)
    net = names["load"]().eval()
    samples = decode_clip(Root(str(next(file.parent.glob("my m*")))), clip, sample_rate=16_000)
    with torch.inference_mode():
        expected = net(torch.from_numpy(samples)[None, None]).mean(dim=1)[0]
    np.testing.assert_allclose(run.read_clips("resid.mean", [clip.clip_id])[0, -1], expected, atol=1e-5)


def test_a_changed_file_is_another_model_and_that_is_said(file: Path, store: str, undertone: Run) -> None:
    command = ("extract", store, "tones", "--model-file", file, "--sites", "front", "--engine", "inline")
    assert undertone(*command)[0] == 0
    assert undertone(*command)[0] == 0
    (first,) = open_store(store).runs()
    file.write_text(file.read_text("utf-8").replace("manual_seed(0)", "manual_seed(1)"), "utf-8")
    code, _, err = undertone(*command)
    assert code == 0, err
    assert f"It is not that of {first}: another model, whose rows are kept apart." in " ".join(err.split())
    assert len(open_store(store).runs()) == 2


def test_the_package_of_the_page_is_known_by_name_and_passes_the_tests_that_the_page_shows(
    page: Any, conform: Conform
) -> None:
    assert describe_model("mynet").code[0][0] == "my_model.py"
    ran = conform(page.conformance())
    assert len(ran) == len([name for name in dir(EncoderConformance) if name.startswith("test_")])


def test_a_file_without_a_package_passes_them_by_its_path(file: Path) -> None:
    class ByPath(EncoderConformance):
        model_file = file

    ByPath().test_it_is_among_the_models_and_keeps_its_name()
    ByPath().test_sites_are_as_wide_and_have_as_many_rows_as_is_said()


Change = tuple[str, str]
WRONG: dict[str, tuple[Change, str]] = {
    "an error of its own": (
        ("return Net()", "return Nett()"),
        r"my_model\.py, line LINE: NameError: name 'Nett'",
    ),
    "an error in a pass": (
        ("            states = block(states)", "            states = block(nothing)"),
        r"my_model\.py, line LINE: NameError: name 'nothing'",
    ),
    "no Python": (("class Net(", "class Net(("), r"my_model\.py, line \d+: SyntaxError"),
    "the end of Python": (("return Net()", "raise SystemExit(3)"), r"line LINE: SystemExit: 3"),
    "no description": (
        ("MODEL = ", "MINE = "),
        r"has no MODEL\. It describes its model by MODEL = TorchModel",
    ),
    "no such module": (
        ('"blocks.*.mlp"', '"block.*.mlp"'),
        r"no module of it is called 'block\.\*\.mlp' .*blocks",
    ),
    "other frames": (("frame_rate=50.0", "frame_rate=49.0"), "gives 50 frames .* 49 means 48"),
    "another axis": (("time_axis=2", "time_axis=1"), "'front' .* gives 32 frames"),
    "a module that is not called": (
        ("        for block in self.blocks:", "        for block in self.blocks[1:]:"),
        "which is called never in a pass",
    ),
    "layers of several widths": (('"resid": "blocks.*"', '"resid": "blocks.*.mlp.*"'), "equally wide"),
    "no module": (("return Net()", "return 3"), r"load\(\) gives a int, and no torch\.nn\.Module"),
    "a rate that is text": (
        ("frame_rate=50.0", 'frame_rate="50"'),
        "frame_rate is '50'; it has to be a number",
    ),
    "half a sample": (("reach_samples=320", "reach_samples=0.5"), "reach_samples is 0.5; .* a whole number"),
    "a list of sites": (
        (
            'sites={"front": Hooked("front", time_axis=2), "resid": "blocks.*", "mlp": "blocks.*.mlp"}',
            'sites=["front"]',
        ),
        "sites is .* has to be a dictionary",
    ),
    "no name of modules": (('"resid": "blocks.*"', '"resid": 3'), r"'resid' is 3\. It has to be the name"),
    "no site": (('"mlp": "', '"MLP": "'), "'MLP' is no name of a site"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_file_is_told_in_a_sentence(what: str, file: Path) -> None:
    (said, instead), message = WRONG[what]
    text = file.read_text("utf-8")
    assert said in text
    file.write_text(text.replace(said, instead), "utf-8")
    line = str(text[: text.index(said)].count("\n") + 1)
    with pytest.raises(ModelError, match=message.replace("LINE", line)) as raised:
        ut.load_model(model_file=file, device="cpu")
    assert "\n" not in str(raised.value)


def test_a_worker_refuses_a_file_that_it_lacks_and_weights_that_are_drawn_anew(
    file: Path, store: str
) -> None:
    elsewhere = pickle.loads(pickle.dumps(pinned_name(ModelFile(file))))
    text = file.read_text("utf-8")
    file.unlink()
    with pytest.raises(NotFound, match=r"no file .*my_model\.py on this machine.* same path on all of them"):
        load_readable_model(elsewhere)
    file.write_text(text.replace("torch.manual_seed(0)", "pass"), "utf-8")
    with pytest.raises(
        (JobFailed, ModelError), match="its weights are drawn at random whenever it is loaded"
    ):
        run_extraction(ExtractOptions(store, "tones", model_file=file, engine="inline"))


def test_a_file_is_the_model_and_leaves_random_states_alone(file: Path) -> None:
    with pytest.raises(InvalidInput, match="leave out --model and --backend"):
        _ = ExtractOptions("a.store", "tones", "pocket-clap", model_file=file).named_model
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    ut.load_model(model_file=file, device="cpu")
    assert torch.rand(1) == expected
