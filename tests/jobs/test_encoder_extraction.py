"""Extraction with an audio encoder, which has no codes, against the encoder itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertone as ut
from jobs.extract.bill import describe_extraction
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.generate.generating import run_generation
from jobs.generate.options import GenerateOptions
from pipelines.audio.clips import decode_clip
from pipelines.audio.files import Root
from pipelines.capture import CaptureSpec, heard_activations
from pipelines.models.encoders.encoder import TransformersEncoder
from pipelines.models.named import load_readable_model
from store import open_store
from store.errors import InvalidInput
from store.upkeep.inspection import damage, inspect


def _extract(store: str, **options: Any) -> dict[str, Any]:
    settings = {"model": "pocket-clap", "engine": "inline", "unit_clips": 4, "batch_clips": 3, **options}
    return run_extraction(ExtractOptions(store, "tones", **settings))


def test_stored_activations_are_what_the_encoder_computes_beside_failed_clips(
    store: str, audio: Path
) -> None:
    gone = sorted(audio.rglob("*.wav"))[5]
    kept = gone.read_bytes()
    gone.unlink()
    summary = _extract(store, reduce="mean,frames")
    assert (summary["clips"], summary["failed"], summary["silent"], summary["complete"]) == (11, 1, 1, True)
    opened = open_store(store)
    run, model = opened.run(summary["run"]), load_readable_model("pocket-clap")
    assert isinstance(model, TransformersEncoder)
    assert opened.all_codes() == []
    assert {name.split(".")[0] for name in run.arrays} == set(model.info.site_names)
    spec = CaptureSpec(model.info.site_names, (0,), ("mean", "frames"))
    clips = {clip.uri: clip for clip in opened.dataset("tones").clips()}
    failed = clips.pop(gone.relative_to(audio).as_posix())
    for clip in list(clips.values())[:3]:
        samples = decode_clip(Root(str(audio)), clip, sample_rate=16_000)
        for name, expected in heard_activations(model, samples[None], spec).items():
            tolerance = 2e-5 if name.endswith("mean") else 2e-3  # frames are stored as float16
            stored = run.read_clips(name, [clip.clip_id])[0]
            np.testing.assert_allclose(stored, expected[0], rtol=tolerance, atol=tolerance)
            if name == "stage3.frames":
                assert expected.shape[1:3] == (1, 2), "a second is two frames of the last stage"
    gone.write_bytes(kept)
    assert _extract(store, reduce="mean,frames", retry_failed=True)["failed"] == 0
    run.refresh()
    assert np.isfinite(run.read_clips("stage3.mean", [failed.clip_id])).all()
    assert damage(inspect(opened.objects)) == []


def test_an_encoder_and_a_musicgen_lie_in_one_store_by_the_same_clips(store: str) -> None:
    first = _extract(store)["run"]
    second = _extract(store, model="pocket-random", layers="0", sites="resid")["run"]
    found = ut.open_store(store).sql("SELECT run_id, clips FROM runs ORDER BY run_id")
    assert [tuple(row.values()) for row in found] == [(run, 11) for run in sorted((first, second))]
    assert _extract(store)["note"] == "this run was complete already"


def test_the_bill_of_an_encoder_has_no_codes(store: str) -> None:
    bill = describe_extraction(ExtractOptions(store, "tones", model="pocket-clap", engine="inline"))
    assert bill["codes_bytes"] == 0
    assert bill["estimated_from"].startswith("one batch on this machine (cpu), the encoder")
    _extract(store, unit_clips=None, batch_clips=16)
    shards = [path for path in Path(store).glob("runs/*/activations.zarr/**/c*") if path.is_file()]
    assert len(shards) == bill["objects"]["shards"] == 5


ENCODER_REFUSALS: dict[str, tuple[Callable[[str], object], str]] = {
    "texts": (lambda store: _extract(store, text="rock"), "takes no text"),
    "sites": (lambda store: _extract(store, sites="xattn"), "has no site 'xattn'; it has embed, stage0"),
    "generation": (
        lambda store: run_generation(
            GenerateOptions(store=store, output=Path("a.wav"), prompt="rock", model="pocket-clap")
        ),
        "cannot generate: it can be extracted and probed",
    ),
    "generation in Python": (
        lambda _: ut.generate(ut.load_model("pocket-clap", device="cpu"), "rock", seconds=1, seed=0),
        "cannot generate: it can be extracted and probed",
    ),
}


@pytest.mark.parametrize("what", ENCODER_REFUSALS)
def test_what_an_encoder_lacks_is_refused_in_a_sentence(what: str, store: str) -> None:
    act, message = ENCODER_REFUSALS[what]
    with pytest.raises(InvalidInput, match=message):
        act(store)


def test_python_passes_sounds_over_an_encoder_and_reads_it() -> None:
    model = ut.load_model("pocket-clap", device="cpu")
    sound = np.random.default_rng(0).standard_normal(32_000).astype(np.float32) * 0.1
    with ut.capture(model, sites=["stage3"], layers=[0], reductions=["frames"]) as seen:
        assert ut.forward(model, sound).shape == (0, 4)
    assert seen["stage3.frames"].shape == (1, 1, 4, 192)
