"""A device of "auto" is the GPU of the machine that works, wherever a model or a scorer is loaded."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import undertone as ut
from jobs.evaluate.scoring import ScoringWorker
from jobs.execution import resolved_device
from jobs.extract.estimate import measure_pace
from jobs.extract.worker import ExtractionWorker
from jobs.generate import generating
from jobs.sweep import running
from jobs.sweep.worker import GenerationWorker


class Loaded(Exception):
    """Ends the loading when it is known which device was asked for."""


def stop(*_: Any, device: str, **__: Any) -> Any:
    raise Loaded(device)


OPTIONS: Any = SimpleNamespace(
    device="auto", dtype="fp32", threads=1, model="pocket", named_model="pocket", batch=1, store_url="",
    source=stop, capture=SimpleNamespace(last_block=lambda _: None), last_block=None, melody=None,
)  # fmt: skip
LOADERS: dict[str, Callable[[], object]] = {
    "extraction": ExtractionWorker(OPTIONS).load,
    "bill of an extraction": lambda: measure_pace(OPTIONS, OPTIONS),
    "scoring": ScoringWorker(OPTIONS).load,
    "sweep": GenerationWorker(OPTIONS).load,
    "time of a sweep": lambda: running._seconds_per_second("pocket", [], OPTIONS),
    "generate": lambda: generating.load_model(OPTIONS, "pocket"),
    "load_model": lambda: ut.load_model("pocket"),
}


@pytest.fixture(params=[True, False], ids=["with a GPU", "without"])
def expected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The device that "auto" means on a machine that has a GPU, and on one that has none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param)
    return "cuda" if request.param else "cpu"


def test_auto_is_the_gpu_where_there_is_one_and_a_named_device_is_that(expected: str) -> None:
    assert resolved_device("auto") == expected
    assert (resolved_device("cpu"), resolved_device("cuda")) == ("cpu", "cuda")


@pytest.mark.parametrize("who", LOADERS)
def test_whatever_loads_a_model_loads_it_there(
    who: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loader in ("load_named_model", "load_readable_model"):
        monkeypatch.setattr(f"pipelines.models.named.{loader}", stop)
    threads = torch.get_num_threads()
    try:
        with pytest.raises(Loaded, match=f"^{expected}$"):
            LOADERS[who]()
    finally:
        torch.set_num_threads(threads)
