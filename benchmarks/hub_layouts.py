"""Run models of published sizes, laid out as the hub has them with random weights, from end to end.

python -m benchmarks.hub_layouts [NAME …]: add, extract, verify, probe, directions, generate steered, sweep;
an encoder up to the probe. Every model has a process of its own, whose time and peak memory are printed.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import undertone as ut

LABELS = "SELECT clip_id, label FROM clips"
RATE, CLIPS, SECONDS = 32_000, 8, 1.0
CODEC: dict[str, Any] = {
    "sampling_rate": RATE, "audio_channels": 1, "codebook_size": 2048, "codebook_dim": 128,
    "hidden_size": 128, "num_filters": 64, "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": False,
    "target_bandwidths": [2.2], "use_conv_shortcut": False, "normalize": False, "chunk_length_s": None,
}  # fmt: skip
"""As facebook/encodec_32khz."""
TEXT: dict[str, Any] = {"vocab_size": 32_128, "d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
"""As t5-base."""
SMALL = {"hidden_size": 1024, "num_attention_heads": 16, "ffn_dim": 4096, "num_hidden_layers": 24}
STEREO = {**SMALL, "num_codebooks": 8, "audio_channels": 2}
MELODY = {"hidden_size": 1536, "num_attention_heads": 24, "ffn_dim": 6144, "num_hidden_layers": 24}
"""Of musicgen-melody with half of its 48 layers: in float32 the whole would need 6 GB."""
SWEEP = """\
seconds = 0.3
random_states = [0]

[[concepts]]
name = "label"
pairs = ["low:high"]
texts = ["{class}"]

[grid]
layers = [12]
alphas = [4.0]
"""


def write_musicgen(folder: Path, decoder: dict[str, Any], *, melody: bool = False) -> Path:
    """A MusicGen in the format of transformers; its tokenizer is that of the pocket model."""
    import torch
    import transformers

    from pipelines.pocket.text_encoder import write_text_encoder

    prefix = "MusicgenMelody" if melody else "Musicgen"
    torch.manual_seed(0)
    parts = {
        "text_encoder": transformers.T5Config(**TEXT),
        "audio_encoder": transformers.EncodecConfig(**CODEC),
        "decoder": getattr(transformers, f"{prefix}DecoderConfig")(**decoder),
    }
    model = getattr(transformers, f"{prefix}ForConditionalGeneration")(
        getattr(transformers, f"{prefix}Config")(**parts)
    )
    model.generation_config.max_length = 1500
    for layer in model.audio_encoder.quantizer.layers:  # zeros until they are trained
        layer.codebook.embed.copy_(0.1 * torch.randn_like(layer.codebook.embed))
    model.save_pretrained(folder)
    write_text_encoder(folder / "tokenizer")
    for file in (folder / "tokenizer").glob("*token*"):
        shutil.copy(file, folder)
    shutil.rmtree(folder / "tokenizer")
    return folder


def write_hubert(folder: Path) -> Path:
    """facebook/hubert-base-ls960."""
    import torch
    import transformers

    torch.manual_seed(0)
    transformers.HubertModel(transformers.HubertConfig()).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


MODELS: dict[str, Callable[[Path], Path]] = {
    "musicgen-small": lambda folder: write_musicgen(folder, SMALL),
    "musicgen-stereo-small": lambda folder: write_musicgen(folder, STEREO),
    "musicgen-melody-24-layers": lambda folder: write_musicgen(folder, MELODY, melody=True),
    "hubert-base": write_hubert,
}


def write_recordings(folder: Path) -> Path:
    """Low and high tones in noise, of two channels."""
    import soundfile

    time_axis, random = np.arange(round(SECONDS * RATE)) / RATE, np.random.default_rng(0)
    for number in range(CLIPS):
        label, pitch = ("low", 220.0 + number) if number % 2 else ("high", 880.0 + number)
        (folder / label).mkdir(parents=True, exist_ok=True)
        tone = 0.3 * np.sin(2 * np.pi * pitch * time_axis)
        samples = np.stack([tone, 0.5 * tone], axis=1) + 0.05 * random.standard_normal((len(tone), 2))
        soundfile.write(folder / label / f"{number}.flac", samples, RATE)
    return folder


def stages(model: Path, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is done with a model, each with its name."""
    import undertone as ut

    store = ut.open_store(folder / "music.store", create=True)
    run: list[ut.Run] = []
    found: list[ut.Direction] = []
    common: dict[str, Any] = {"labels": LABELS, "sites": "resid", "engine": "inline"}
    yield (
        "add",
        lambda: ut.add_dataset(store, "tones", write_recordings(folder / "tones"), clip_seconds=SECONDS),
    )
    yield (
        "extract",
        lambda: run.append(ut.extract(store, "tones", model=model, device="cpu", engine="inline")),
    )
    yield "verify", lambda: ut.verify(store)
    yield "probe", lambda: ut.probe(run[0], handcrafted=False, **common)
    if not run[0].document["model"]["codebooks"]:
        return
    yield (
        "directions",
        lambda: found.append(ut.directions(run[0], **common)["high", "resid.mean", 12, "diffmean"]),
    )
    yield "generate", lambda: _steered(store, model, found[0])
    (folder / "sweep.toml").write_text(SWEEP)
    yield (
        "sweep",
        lambda: ut.sweep(
            store, folder / "sweep.toml", model=model, scorers="similarity", device="cpu", engine="inline"
        ),
    )


def _steered(store: ut.Store, model: Path, direction: ut.Direction) -> None:
    import undertone as ut

    kept = ut.generate_into(
        store, "a tone", model=model, directions=direction, alpha=4.0, seconds=0.3, device="cpu"
    )
    assert np.isfinite(kept.sound.samples).all()


def run_one(name: str, folder: Path) -> dict[str, Any]:
    """All stages of one model: seconds by stage, peak memory and bytes."""
    model, seconds = folder / name, {}
    started = time.monotonic()
    MODELS[name](model)
    seconds["lay out"] = time.monotonic() - started
    for stage, work in stages(model, folder):
        started = time.monotonic()
        work()
        seconds[stage] = time.monotonic() - started
    return {
        "model": name,
        "seconds": {stage: round(value, 1) for stage, value in seconds.items()},
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "model_gb": round(_bytes(model) / 1e9, 2),
        "store_mb": round(_bytes(folder / "music.store") / 1e6, 2),
    }


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Run the models that were named, or all, and delete what they left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hub_layouts", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MODELS], metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(run_one(given.names[0], given.folder)), flush=True)
        return
    for name in given.names or MODELS:
        folder = Path(mkdtemp(prefix="hub-layouts-"))
        try:
            command = [sys.executable, "-m", "benchmarks.hub_layouts", name, "--folder", str(folder)]
            subprocess.run(command, check=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
