"""Extraction against the loop a researcher would write: audiocraft, hooks, `numpy.save` per clip, batch 1.

    python -m benchmarks.extraction [--shape pocket|small] [--clips N] [--repetitions N] [--folder DIR]

Both read the same FLAC files, or the same codes, and keep the means of three sites at every layer. Start-up
(imports, loading, Ray) is left out on both sides. By the clock the loop gets all cores through torch's own
threads, and extraction as many one-thread workers. By processor time, which other load on the machine hardly
touches, both get one thread of one process.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import interleaved, ratio_line, seconds_of
from benchmarks.small_checkpoint import musicgen_small
from jobs.execution import Engine

CLIP_SECONDS = 4.0
SITES = ("resid", "attn", "mlp")


def main() -> None:
    """Print the ratios: from audio, and from stored codes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=("pocket", "small"), default="pocket")
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--batch-clips", type=int, default=16)
    parser.add_argument("--unit-clips", type=int, default=32)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=("clock", "processor"), help="one of the two ways to count alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    audio = render(folder / "audio", options.clips)
    model = "pocket-random" if options.shape == "pocket" else str(musicgen_small(folder / "small"))
    loop = ResearchersLoop(model, audio, folder / "loop")
    for store in ("fresh.store", "stored.store"):
        add(folder / store, audio)
    extract(folder / "stored.store", model, options, sites="resid", engine="inline")  # codes are there now
    title = f"{options.shape}, {options.clips} clips of {CLIP_SECONDS:g} s"
    if options.only != "processor":
        seconds = by_clock(options, folder, model, loop)
        print(f"{title}: the loop takes {np.median(seconds['loop']) / options.clips * 1e3:.0f} ms per clip")
        report(seconds, "clock")
    if options.only != "clock":
        seconds = by_processor(options, folder, model, loop)
        print(f"{title}: the loop takes {np.median(seconds['loop']) / options.clips * 1e3:.0f} ms per clip")
        report(seconds, "processor")


def report(seconds: dict[str, list[float]], how: str) -> None:
    print(ratio_line(f"{how}: loop / extract, both from audio", seconds["loop"], seconds["audio"]))
    print(ratio_line(f"{how}: loop / extract, both from codes", seconds["loop from codes"], seconds["codes"]))
    print(ratio_line(f"{how}: loop from audio / extract from codes", seconds["loop"], seconds["codes"]))


def by_clock(
    options: argparse.Namespace, folder: Path, model: str, loop: "ResearchersLoop"
) -> dict[str, list[float]]:
    """Seconds of all clips; the loop has all cores, extraction a worker on each."""
    from jobs.engine.ray_session import ray_session

    def seconds(store: str, *, keep_codes: bool) -> float:
        rate: float = speed(folder / store, model, options, keep_codes=keep_codes)
        return float(options.clips) / rate

    with ray_session("local"):
        return interleaved(
            {
                "loop": partial(seconds_of, loop.from_audio),
                "loop from codes": partial(seconds_of, loop.from_codes),
                "audio": lambda: seconds("fresh.store", keep_codes=False),
                "codes": lambda: seconds("stored.store", keep_codes=True),
            },
            repetitions=options.repetitions,
        )


def by_processor(
    options: argparse.Namespace, folder: Path, model: str, loop: "ResearchersLoop"
) -> dict[str, list[float]]:
    """Processor time of all clips, one thread; what an extraction of one unit costs is its start-up."""
    import torch

    torch.set_num_threads(1)
    audio = render(folder / "one", options.unit_clips)
    for name in ("one-fresh.store", "one-stored.store"):
        add(folder / name, audio)
    extract(folder / "one-stored.store", model, options, sites="resid", engine="inline")
    share = (options.clips - options.unit_clips) / options.clips

    def beyond_one_unit(kind: str, *, keep_codes: bool) -> float:
        run = partial(speed, model=model, options=options, keep_codes=keep_codes, engine="inline")
        one = processor_seconds(lambda: run(folder / f"one-{kind}.store"))
        return float((processor_seconds(lambda: run(folder / f"{kind}.store")) - one) / share)

    return interleaved(
        {
            "loop": lambda: processor_seconds(loop.from_audio),
            "loop from codes": lambda: processor_seconds(loop.from_codes),
            "audio": lambda: beyond_one_unit("fresh", keep_codes=False),
            "codes": lambda: beyond_one_unit("stored", keep_codes=True),
        },
        repetitions=options.repetitions,
    )


def processor_seconds(function: Callable[[], object]) -> float:
    """Processor time of one call in this process, all its threads."""
    started = time.process_time()
    function()
    return time.process_time() - started


def render(folder: Path, clips: int) -> Path:
    from pipelines.synthesis import render_dataset

    for _ in render_dataset(folder, clips=clips, seed=1, concepts=["styles"], clip_seconds=CLIP_SECONDS):
        continue
    return folder


class ResearchersLoop:
    """One clip after the other: read, EnCodec if it is audio, the model's own forward with hooks, save."""

    def __init__(self, model: str, audio: Path, output: Path) -> None:
        from pipelines.models.musicgen import load_musicgen

        self.model = load_musicgen(model)
        self.files = sorted(audio.rglob("*.flac"))
        self.output = output
        for path in self.files:
            np.save(path.with_suffix(".npy"), self.encode(path))

    def from_audio(self) -> None:
        self.run(self.encode)

    def from_codes(self) -> None:
        self.run(lambda path: np.load(path.with_suffix(".npy")))

    def encode(self, path: Path) -> Any:
        """Codes (1, K, T) of a file."""
        import librosa
        import soundfile
        import torch

        samples, rate = soundfile.read(path, dtype="float32")
        if rate != self.model.info.sample_rate:
            samples = librosa.resample(samples, orig_sr=rate, target_sr=self.model.info.sample_rate)
        with torch.no_grad():
            return self.model.codec.encode(torch.from_numpy(samples)[None, None])[0].numpy()

    def run(self, codes_of: Callable[[Path], Any]) -> None:
        import torch
        from audiocraft.modules.conditioners import ConditioningAttributes

        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        kept: dict[str, torch.Tensor] = {}
        handles = self.hook(kept)
        try:
            for path in self.files:
                codes = torch.from_numpy(codes_of(path))
                with torch.no_grad():
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
    from jobs.dataset.adding import add_dataset
    from jobs.dataset.options import AddRequest

    add_dataset(AddRequest(str(store), "clips", str(audio), clip_seconds=CLIP_SECONDS))


def speed(
    store: Path, model: str, options: argparse.Namespace, *, keep_codes: bool, engine: Engine = "ray"
) -> float:
    """Clips per second of an extraction, counted from the moment a worker is ready."""
    for kind in ("runs",) if keep_codes else ("runs", "codes"):
        for folder in (store / "records" / kind, store / kind):
            shutil.rmtree(folder, ignore_errors=True)
    summary = extract(store, model, options, sites=",".join(SITES), engine=engine)
    return float(summary["clips_per_second"])


def extract(
    store: Path, model: str, options: argparse.Namespace, *, sites: str, engine: Engine
) -> dict[str, Any]:
    from jobs.extract.options import ExtractOptions
    from jobs.extract.running import run_extraction

    return run_extraction(
        ExtractOptions(
            str(store),
            "clips",
            model=model,
            sites=sites,
            batch_clips=options.batch_clips,
            unit_clips=options.unit_clips,
            engine=engine,
        )
    )


if __name__ == "__main__":
    main()
