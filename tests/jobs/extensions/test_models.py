"""Named models: the plug-in of the documentation, and the built-in one, by the same tests."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import undertone as ut
from jobs.api.models import forward
from pipelines.models.named import describe_model
from pipelines.pocket import random_pocket_folder
from store import open_store
from store.errors import ModelError, NotFound
from undertone_testing.models import ModelConformance

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]


@pytest.fixture
def lofi(install_page: Callable[[str], Any], tmp_path: Path) -> Any:
    """The plug-in of the documentation, with the weights of pocket-random."""
    page = install_page("own-model")
    (site,) = tmp_path.glob("site-undertone-lofi-*")
    shutil.copytree(random_pocket_folder(), site / "lofi")
    return page


def test_the_plug_in_of_the_documentation_is_short_and_extracts(
    lofi: Any, store: str, tmp_path: Path, undertone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lofi.code.count("\n") < 60
    shutil.move(store, tmp_path / "named/music.store")
    monkeypatch.chdir(tmp_path / "named")
    (line,) = lofi.commands
    code, _, err = undertone(*shlex.split(line)[1:], "--engine", "inline")
    assert code == 0, err
    opened = open_store("music.store")
    (run,) = opened.runs()
    model = opened.run(run).document["model"]
    assert model["name"] == "lofi"
    assert model["fingerprint"] == describe_model("pocket-random").fingerprint


def test_help_and_errors_list_the_plug_in(lofi: Any, undertone: Run) -> None:
    _, out, _ = undertone("extract", "--help")
    assert "pocket-random|pocket-clap|lofi]" in out.replace("\n", "").replace(" ", "")
    with pytest.raises(
        NotFound,
        match=r"no model 'lowfi'\. Did you mean lofi\? Choose pocket, pocket-random, pocket-clap, lofi, ",
    ):
        describe_model("lowfi")


def test_a_plug_in_without_its_folder_is_told_with_its_distribution(
    install_page: Callable[[str], Any],
) -> None:
    install_page("own-model")
    with pytest.raises(ModelError, match=r"'lofi' of undertone-lofi 1\.0 should lie in .*lofi, which is no"):
        ut.load_model("lofi")


def test_the_plug_in_passes_the_tests_that_its_page_shows(lofi: Any, conform: Conform) -> None:
    assert len(conform(lofi.conformance())) >= 5


class SilentConformance(ModelConformance):
    name = "pocket-random"
    seconds = 0.5


def test_the_built_in_model_passes_the_tests_for_plug_ins(conform: Conform) -> None:
    assert len(conform(SilentConformance)) >= 5


def test_the_tests_for_plug_ins_see_a_block_that_adds_something_else(
    conform: Conform, monkeypatch: pytest.MonkeyPatch
) -> None:
    import undertone_testing.models as tests

    sound = forward

    def louder(model: Any, audio: Any, **options: Any) -> Any:
        """A pass in which the second block's residual is scaled behind its parts' backs."""
        handle = model.blocks[1].register_forward_hook(lambda _module, _given, out: 1.5 * out, prepend=True)
        try:
            return sound(model, audio, **options)
        finally:
            handle.remove()

    monkeypatch.setattr(tests, "forward", louder)
    with pytest.raises(AssertionError):
        SilentConformance().test_a_block_adds_what_its_parts_compute()
