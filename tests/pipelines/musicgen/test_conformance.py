"""Both back-ends, with and without melodies, pass the tests that models of plug-ins have to pass."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.models.conversion.converting import convert
from pipelines.models.named import load_named_model
from pipelines.models.protocol import LoadedModel
from undertone_testing.models import ModelConformance

WriteCheckpoint = Callable[..., Path]
NOT_OF_THESE = ("test_it_is_among_the_models_and_keeps_its_name", "test_a_click_is_heard_in_its_frame")
"""Tests of registered and of trained models."""
TESTS = [
    name
    for name, _ in inspect.getmembers(ModelConformance, inspect.isfunction)
    if name.startswith("test_") and name not in NOT_OF_THESE
]
FOLDERS: dict[str, Path] = {}
KINDS = ("audiocraft", "audiocraft melody", "transformers", "transformers melody")


@pytest.fixture(scope="module")
def models(
    write_convertible: WriteCheckpoint, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, LoadedModel]:
    root = tmp_path_factory.mktemp("conformance")
    found: dict[str, LoadedModel] = {}
    for kind, of in (("text", ""), ("melody", " melody")):
        source = write_convertible(root / kind, kind)
        other = convert(source, root / f"{kind}-transformers").folder
        for backend, folder in (("audiocraft", source), ("transformers", other)):
            found[f"{backend}{of}"] = load_named_model(str(folder))
            FOLDERS[f"{backend}{of}"] = folder
    return found


class Conformance(ModelConformance):
    """Of a model that is loaded already."""

    seconds, trained = 0.5, False

    def __init__(self, kind: str, loaded: LoadedModel) -> None:
        self._loaded, self.name = loaded, str(FOLDERS[kind])

    def model(self) -> LoadedModel:
        return self._loaded


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("stems_that_are_voice")
def test_every_back_end_passes(kind: str, test: str, models: dict[str, LoadedModel], tmp_path: Path) -> None:
    run = getattr(Conformance(kind, models[kind]), test)
    run(**({"tmp_path": tmp_path} if "tmp_path" in inspect.signature(run).parameters else {}))


def test_the_shipped_model_hears_a_click_in_its_frame() -> None:
    class Shipped(ModelConformance):
        name = "pocket"

    Shipped().test_a_click_is_heard_in_its_frame()


@pytest.mark.parametrize("kind", ["audiocraft", "transformers melody"])
def test_a_pass_that_drops_its_conditions_is_found(
    kind: str, models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = models[kind].conditions
    groups = type(conditions).groups
    monkeypatch.setattr(
        type(conditions), "groups", lambda own, texts, *others: groups(own, [""] * len(texts), *others)
    )
    with pytest.raises(AssertionError, match="two texts give the same activations"):
        Conformance(kind, models[kind]).test_texts_and_melodies_make_a_difference()


def test_a_pass_that_sees_the_future_is_found(
    models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models["audiocraft"]
    encoded = type(model).forward

    def looking_ahead(own: Any, codes: torch.Tensor, conditions: Any) -> torch.Tensor:
        return encoded(own, codes.roll(-1, dims=-1), conditions)

    monkeypatch.setattr(type(model), "forward", looking_ahead)
    with pytest.raises(AssertionError, match="resid"):
        Conformance("audiocraft", model).test_a_later_frame_changes_no_earlier_row()
