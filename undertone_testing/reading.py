"""Tests of all models that are read: what an extraction relies on, whatever the model does beside."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest.mock import patch

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from jobs.api.blocks import capture
from jobs.api.models import forward, load_model
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract.compacting import Compactor
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from pipelines.capture import CaptureSpec
from pipelines.models.protocol import LoadedModel, Point, ReadableModel
from store import open_store
from store.arrays.collection import Collection
from store.extensions import MODELS
from store.records import Reduction

Model = TypeVar("Model", bound=ReadableModel)
Frames = dict[str, torch.Tensor]
Audio = NDArray[np.float32]


class ReadingConformance:
    """What models of every kind have to pass; subclass `ModelConformance` or `EncoderConformance`."""

    name: str = ""
    """Of the entry point in the group undertone.models."""
    model_file: str | Path | None = None
    """Of a model without an entry point: the file that describes it."""
    trust_remote_code = False
    """Whether the code beside its weights is to be run."""
    seconds = 1.0
    """Length of the sound that the model hears."""
    trained = True
    """False for weights drawn at random, of which some tests would say nothing."""

    def model(self) -> LoadedModel:
        """The model, in float32; loaded once for all tests of it."""
        return _loaded(self.name or "pocket", self.model_file, self.trust_remote_code)

    def source(self) -> dict[str, Any]:
        """What `extract` is told of the model."""
        named = {"model": self.name} if self.model_file is None else {"model_file": Path(self.model_file)}
        return {**named, "trust_remote_code": self.trust_remote_code}

    def sound(self, model: ReadableModel) -> Audio:
        """A second of a chord and noise, (samples,) at the model's rate."""
        time = np.arange(round(self.seconds * model.info.sample_rate)) / model.info.sample_rate
        chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6))
        noise = np.random.default_rng(0).standard_normal(len(time))
        return np.asarray(0.1 * chord + 0.02 * noise, np.float32)

    def pass_over(self, model: LoadedModel, clips: Sequence[int], spec: CaptureSpec) -> Frames:
        """One pass over some of many clips, which all differ."""
        raise NotImplementedError

    def test_it_is_among_the_models_and_keeps_its_name(self) -> None:
        if self.model_file is not None:
            assert self.model().info.name == Path(self.model_file).stem
            return
        assert self.name in MODELS.names(), f"{self.name} is not installed: {MODELS.names()}"
        assert self.model().info.name == self.name

    def test_sites_are_as_wide_and_have_as_many_rows_as_is_said(self) -> None:
        model = self.model()
        rows = model.alignment(model.frames(self.seconds)).rows
        seen = self.pass_over(model, [0, 1], every(model, "frames"))
        for site in model.info.sites:
            found = seen[f"{site.name}.frames"]
            assert found.shape == (2, site.layers, rows, site.width), site.name
            assert site.heads * site.head_width == site.width, site.name

    def test_the_same_sound_gives_the_same_tokens_and_activations(self) -> None:
        model, site = self.model(), self.model().info.site_names[0]
        with capture(model, sites=[site], layers=[0]) as seen:
            first = forward(model, self.sound(model)), seen[f"{site}.mean"].copy()
            again = forward(model, self.sound(model)), seen[f"{site}.mean"].copy()
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_allclose(again[1], first[1], rtol=1e-4, atol=1e-5)

    def test_a_clip_alone_gives_what_it_gives_among_others(self) -> None:
        model, spec = self.model(), every(self.model(), "frames")
        together = self.pass_over(model, [0, 1, 2], spec)
        for clip in range(3):
            for name, rows in self.pass_over(model, [clip], spec).items():
                agree(rows[0], together[name][clip], 2e-5, f"{name} of clip {clip}")

    def test_means_are_those_of_the_kept_rows(self) -> None:
        model = self.model()
        seen = self.pass_over(model, [0, 1], every(model, "mean", "frames"))
        for site in model.info.site_names:
            agree(seen[f"{site}.mean"], seen[f"{site}.frames"].mean(dim=2), 1e-4, site)

    def test_memory_is_bounded_by_the_batch(self) -> None:
        """Of a batch nothing is left but its reductions, before the next one begins."""
        model = self.model()
        spec = every(model, "mean")
        with _seen_activations(model) as seen:
            for batch in ([0, 1], [1, 2], [2, 0]):
                self.pass_over(model, batch, spec)
                assert seen, "no activation passed"
                left = {what for what, one in seen if one() is not None}
                assert not left, f"activations of {', '.join(sorted(left))} are held after their batch"
                seen.clear()

    def test_a_run_that_was_stopped_and_resumed_is_that_of_one_go(self, tmp_path: Path) -> None:
        model, clips = self.model(), 4
        folder, rate = tmp_path / "sounds", model.info.sample_rate
        folder.mkdir()
        for clip in range(clips):
            sound = self.sound(model) * (0.5 + clip / 10)
            soundfile.write(folder / f"{clip}.wav", sound, rate, subtype="FLOAT")
        runs: list[Collection] = []
        with patch("pipelines.models.named.load_readable_model", return_value=model):
            for name in ("whole", "stopped"):
                store = str(tmp_path / name)
                add_dataset(AddRequest(store, "sounds", str(folder), clip_seconds=self.seconds))
                sites = ",".join(model.info.site_names)
                options = ExtractOptions(
                    store, "sounds", **self.source(), sites=sites, reduce="mean,frames",
                    unit_clips=1, batch_clips=1, engine="inline", threads=torch.get_num_threads(),
                )  # fmt: skip
                if name == "stopped":
                    stop = patch.object(Compactor, "count", side_effect=KeyboardInterrupt)
                    with stop, suppress(KeyboardInterrupt):
                        run_extraction(options)
                    (run_id,) = open_store(store).runs()
                    assert 0 < len(open_store(store).run(run_id).missing()) < clips
                runs.append(open_store(store).run(run_extraction(options)["run"]))
        whole, resumed = runs
        assert resumed.prefix == whole.prefix
        assert resumed.counts() == whole.counts()
        ids = whole.plan().clip_ids.to_pylist()
        for name in whole.arrays:
            agree(resumed.read_clips(name, ids), whole.read_clips(name, ids), 1e-6, name)


@lru_cache(maxsize=1)
def _loaded(name: str, model_file: str | Path | None, trust_remote_code: bool) -> LoadedModel:  # noqa: FBT001
    return load_model(name, device="cpu", model_file=model_file, trust_remote_code=trust_remote_code)


@contextmanager
def _seen_activations(model: ReadableModel) -> Iterator[list[tuple[str, "weakref.ref[torch.Tensor]"]]]:
    """Weak references to all that passes the modules of a model's points inside the block."""
    seen: list[tuple[str, weakref.ref[torch.Tensor]]] = []

    def note(what: str, passed: Any) -> None:
        several = passed if isinstance(passed, tuple) else (passed,)
        seen.extend((what, weakref.ref(one)) for one in several if isinstance(one, torch.Tensor))

    handles: list[Any] = []
    for site in model.info.sites:
        for layer in range(site.layers):
            point = model.point(site.name, layer)
            if point.side == "input":
                before = partial(_note_input, note, site.name)
                handles.append(point.module.register_forward_pre_hook(before))
            else:
                after = partial(_note_output, note, site.name)
                handles.append(point.module.register_forward_hook(after))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _note_input(note: Callable[[str, Any], None], what: str, _: Any, inputs: tuple[Any, ...]) -> None:
    note(what, inputs[:1])


def _note_output(note: Callable[[str, Any], None], what: str, _: Any, __: Any, output: Any) -> None:
    note(what, output)


def every(model: ReadableModel, *reductions: str) -> CaptureSpec:
    """All sites and layers of a model."""
    kept = cast("tuple[Reduction, ...]", reductions)
    return CaptureSpec(model.info.site_names, tuple(range(model.info.layers)), kept)


def hooks(model: ReadableModel) -> int:
    """Hooks on the modules of all points."""
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in _modules(model))  # noqa: SLF001


def _modules(model: ReadableModel) -> list[torch.nn.Module]:
    points: list[Point] = [
        model.point(site.name, layer) for site in model.info.sites for layer in range(site.layers)
    ]
    return list({id(point.module): point.module for point in points}.values())


def agree(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Fail unless the difference is short beside what was expected."""
    gap = distance(torch.as_tensor(found), torch.as_tensor(expected))
    assert gap <= tolerance, f"{what}: {gap:.2g} apart, more than {tolerance:g}"


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """‖a − b‖ / ‖b‖."""
    one, other = one.double(), other.double()
    return float(torch.linalg.vector_norm(one - other) / torch.linalg.vector_norm(other).clamp(min=1e-12))
