"""Extraction against the loop a researcher would write: audiocraft, hooks, `numpy.save` per clip, batch 1.

    python -m benchmarks.extraction [--shape pocket|small] [--clips N] [--repetitions N] [--folder DIR]

Start-up (imports, loading, Ray) is left out on both sides. The loop gets all cores through torch's own
threads; extraction gets as many one-thread workers. Both read the same FLAC files and keep the means of three
sites at every layer.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import interleaved, ratio_line, seconds_of
from benchmarks.small_checkpoint import musicgen_small

CLIP_SECONDS = 4.0
SITES = ("resid", "attn", "mlp")


def main() -> None:
    """Print two ratios: from audio, and from stored codes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=("pocket", "small"), default="pocket")
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--batch-clips", type=int, default=16)
    parser.add_argument("--unit-clips", type=int, default=32)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    from jobs.engine.ray_session import ray_session

    audio = render(folder / "audio", options.clips)
    model = "pocket-random" if options.shape == "pocket" else str(musicgen_small(folder / "small"))
    loop = ResearchersLoop(model, audio, folder / "loop")
    fresh, stored = folder / "fresh.store", folder / "stored.store"
    with ray_session("local"):
        for store in (fresh, stored):
            add(store, audio)
        extract(stored, model, options, sites="resid")  # so that the codes are there
        seconds = interleaved(
            {
                "loop": loop.seconds_per_clip,
                "audio": lambda: extract_again(fresh, model, options, keep_codes=False),
                "codes": lambda: extract_again(stored, model, options, keep_codes=True),
            },
            repetitions=options.repetitions,
        )
    title = f"{options.shape}, {options.clips} clips of {CLIP_SECONDS:g} s"
    print(f"{title}: the loop takes {np.median(seconds['loop']) * 1e3:.0f} ms per clip")
    print(ratio_line("loop / extract from audio", seconds["loop"], seconds["audio"]))
    print(ratio_line("loop / extract from stored codes", seconds["loop"], seconds["codes"]))


def render(folder: Path, clips: int) -> Path:
    from pipelines.synthesis import render_dataset

    for _ in render_dataset(folder, clips=clips, seed=1, concepts=["styles"], clip_seconds=CLIP_SECONDS):
        continue
    return folder


class ResearchersLoop:
    """One clip after the other: read, EnCodec, the model's own forward with hooks, save."""

    def __init__(self, model: str, audio: Path, output: Path) -> None:
        from pipelines.musicgen import load_musicgen

        self.model = load_musicgen(model)
        self.files = sorted(audio.rglob("*.flac"))
        self.output = output

    def seconds_per_clip(self) -> float:
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        return seconds_of(self.run) / len(self.files)

    def run(self) -> None:
        import librosa
        import soundfile
        import torch
        from audiocraft.modules.conditioners import ConditioningAttributes

        kept: dict[str, torch.Tensor] = {}
        handles = self.hook(kept)
        try:
            for path in self.files:
                samples, rate = soundfile.read(path, dtype="float32")
                if rate != self.model.info.sample_rate:
                    samples = librosa.resample(samples, orig_sr=rate, target_sr=self.model.info.sample_rate)
                with torch.no_grad():
                    codes, _ = self.model.codec.encode(torch.from_numpy(samples)[None, None])
                    no_text = [ConditioningAttributes(text={"description": None})]
                    self.model.language_model.compute_predictions(codes, no_text)
                means = {name: tensor.mean(dim=1).numpy() for name, tensor in kept.items()}
                np.save(self.output / f"{path.stem}.npy", np.stack(list(means.values())))
        finally:
            for handle in handles:
                handle.remove()

    def hook(self, kept: dict[str, Any]) -> list[Any]:
        def keep(name: str) -> Any:
            def hook(_module: Any, _inputs: Any, output: Any) -> None:
                kept[name] = output[0] if isinstance(output, tuple) else output

            return hook

        return [
            module.register_forward_hook(keep(f"{site}{layer}"))
            for layer, block in enumerate(self.model.blocks)
            for site, module in zip(SITES, (block, block.self_attn, block.linear2), strict=True)
        ]


def add(store: Path, audio: Path) -> None:
    from jobs.datasets.adding import AddRequest, add_dataset

    add_dataset(AddRequest(str(store), "clips", str(audio), clip_seconds=CLIP_SECONDS))


def extract_again(store: Path, model: str, options: argparse.Namespace, *, keep_codes: bool) -> float:
    """Seconds per clip of an extraction, counted from the moment a worker is ready."""
    for run in store.glob("runs/*"):
        shutil.rmtree(run)
    if not keep_codes:
        shutil.rmtree(store / "codes", ignore_errors=True)
    summary = extract(store, model, options, sites=",".join(SITES))
    return 1 / float(summary["clips_per_second"])


def extract(store: Path, model: str, options: argparse.Namespace, *, sites: str) -> dict[str, Any]:
    from jobs.extraction.options import ExtractOptions
    from jobs.extraction.running import run_extraction

    return run_extraction(
        ExtractOptions(
            str(store),
            "clips",
            model=model,
            sites=sites,
            batch_clips=options.batch_clips,
            unit_clips=options.unit_clips,
        )
    )


if __name__ == "__main__":
    main()
