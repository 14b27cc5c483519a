"""Extraction against the loop a researcher would write: audiocraft, hooks, `numpy.save` per clip.

    python -m benchmarks.extraction [--shape pocket|small] [--clips N] [--repetitions N] [--folder DIR]

Both read the same FLAC files, or the same codes, and keep the means of three sites at every layer. Start-up
(imports, loading, Ray) is left out on both sides. By the clock the loop gets all cores through torch's own
threads, and extraction as many one-thread workers. By processor time, which other load on the machine hardly
touches, both get one thread of one process.

There are two loops, one clip at a time and in batches. Both run in a process of their own: what extraction
asks of a process's allocator makes them faster, too. For an older processor set ONEDNN_MAX_CPU_ISA=AVX2 and
ATEN_CPU_CAPABILITY=avx2.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import interleaved, ratio_line
from benchmarks.small_checkpoint import musicgen_small
from jobs.execution import Engine

CLIP_SECONDS = 4.0
SITES = ("resid", "attn", "mlp")
LOOP_BATCHES = (1, 16)
"""Clips at a time of the two loops."""


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
    loop = LoopProcess(model, audio, folder / "loop")
    for store in ("fresh.store", "stored.store"):
        add(folder / store, audio)
    extract(folder / "stored.store", model, options, sites="resid", engine="inline")  # codes are there now
    title = f"{options.shape}, {options.clips} clips of {CLIP_SECONDS:g} s"
    for how, measured in (("clock", by_clock), ("processor", by_processor)):
        if options.only in (None, how):
            report(title, how, measured(options, folder, model, loop), options.clips)


def report(title: str, how: str, seconds: dict[str, list[float]], clips: int) -> None:
    each = ", ".join(f"{name} {np.median(values) / clips * 1e3:.1f}" for name, values in seconds.items())
    print(f"{title}, by {how}, ms per clip: {each}")
    for source in ("audio", "codes"):
        for batch in LOOP_BATCHES:
            loop = f"loop of {batch} from {source}"
            line = f"{how}: {loop} / extract from {source}"
            print(ratio_line(line, seconds[loop], seconds[f"extract from {source}"]), flush=True)
    saved = seconds["loop of 1 from audio"], seconds["extract from codes"]
    print(ratio_line(f"{how}: loop of 1 from audio / extract from codes", *saved))


def by_clock(
    options: argparse.Namespace, folder: Path, model: str, loop: "LoopProcess"
) -> dict[str, list[float]]:
    """Seconds of all clips; the loop has all cores, extraction a worker on each."""
    from jobs.engine.ray_session import ray_session

    def seconds(store: str, *, keep_codes: bool) -> float:
        rate: float = speed(folder / store, model, options, keep_codes=keep_codes)
        return float(options.clips) / rate

    with ray_session("local"):
        return interleaved(
            {
                **loop.candidates("clock"),
                "extract from audio": lambda: seconds("fresh.store", keep_codes=False),
                "extract from codes": lambda: seconds("stored.store", keep_codes=True),
            },
            repetitions=options.repetitions,
        )


def by_processor(
    options: argparse.Namespace, folder: Path, model: str, loop: "LoopProcess"
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
            **loop.candidates("processor"),
            "extract from audio": lambda: beyond_one_unit("fresh", keep_codes=False),
            "extract from codes": lambda: beyond_one_unit("stored", keep_codes=True),
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


class LoopProcess:
    """A process that has the loop's model and nothing of extraction."""

    def __init__(self, model: str, audio: Path, output: Path) -> None:
        spawned = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, spawned, ResearchersLoop.begin, (model, audio, output))

    def candidates(self, how: str) -> dict[str, Callable[[], float]]:
        """By name, what runs one loop over all clips and gives its seconds."""
        return {
            f"loop of {batch} from {source}": partial(self._seconds, source, batch, how)
            for source in ("audio", "codes")
            for batch in LOOP_BATCHES
        }

    def _seconds(self, source: str, batch: int, how: str) -> float:
        return self._pool.submit(ResearchersLoop.timed, source, batch, how).result()


class ResearchersLoop:
    """A batch after the other: read, EnCodec if it is audio, the model's own forward with hooks, save."""

    here: "ResearchersLoop"
    """That of this process."""

    def __init__(self, model: str, audio: Path, output: Path) -> None:
        from pipelines.models.musicgen import load_musicgen

        self.model = load_musicgen(model)
        self.files = sorted(audio.rglob("*.flac"))
        self.output = output
        for path in self.files:
            np.save(path.with_suffix(".npy"), self.encoded([path])[0])

    @classmethod
    def begin(cls, model: str, audio: Path, output: Path) -> None:
        cls.here = cls(model, audio, output)

    @classmethod
    def timed(cls, source: str, batch: int, how: str) -> float:
        """Seconds of the clock, with torch's own threads, or of the processor, with one."""
        import torch

        torch.set_num_threads(1 if how == "processor" else multiprocessing.cpu_count())
        count = time.process_time if how == "processor" else time.perf_counter
        started = count()
        cls.here.run(cls.here.encoded if source == "audio" else cls.here.read, batch)
        return count() - started

    def read(self, paths: list[Path]) -> Any:
        return np.stack([np.load(path.with_suffix(".npy")) for path in paths])

    def encoded(self, paths: list[Path]) -> Any:
        """Codes (B, K, T) of files."""
        import librosa
        import soundfile
        import torch

        wanted, clips = self.model.info.sample_rate, []
        for path in paths:
            samples, rate = soundfile.read(path, dtype="float32")
            if rate != wanted:
                samples = librosa.resample(samples, orig_sr=rate, target_sr=wanted)
            clips.append(samples)
        with torch.no_grad():
            return self.model.codec.encode(torch.from_numpy(np.stack(clips))[:, None])[0].numpy()

    def run(self, codes_of: Callable[[list[Path]], Any], batch: int) -> None:
        import torch
        from audiocraft.modules.conditioners import ConditioningAttributes

        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        kept: dict[str, torch.Tensor] = {}
        handles = self.hook(kept)
        try:
            for first in range(0, len(self.files), batch):
                paths = self.files[first : first + batch]
                codes = torch.from_numpy(codes_of(paths))
                with torch.no_grad():
                    no_text = [ConditioningAttributes(text={"description": None}) for _ in paths]
                    self.model.language_model.compute_predictions(codes, no_text)
                means = np.stack([tensor.mean(dim=1).numpy() for tensor in kept.values()], axis=1)
                for path, of_clip in zip(paths, means, strict=True):
                    np.save(self.output / f"{path.stem}.npy", of_clip)
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
