"""Python's `demo` and `train_pocket`: whole journeys, from nothing to a store or to a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jobs.api.extraction import own_torch_threads
from jobs.api.stores import Store, open_store

if TYPE_CHECKING:
    from jobs.execution import Engine
    from jobs.progress.reporters import Told
    from pipelines.pocket.training.loop import Tell


def demo(
    folder: str | Path = "demo", *, clips: int = 320, engine: "Engine" = "inline", progress: "Told" = False
) -> Store:
    """Render songs, extract, probe, cluster, find directions, steer along them, and draw a report.

    Called again it goes on where it stopped.

    Args:
        folder: gets the audio, the store and report.html.
        clips: how many to render.
        engine: "inline" works in this process, "ray" in several.
        progress: True shows progress; a function is called with every `Progress`.

    Returns:
        The store; `report(store)` is the page.

    Raises:
        InvalidInput: the folder lies in a store.
        JobFailed: something cannot go on; what is committed stays.
    """
    from jobs.demo.options import DemoOptions
    from jobs.demo.running import draw_report, run_demo
    from jobs.demo.steps import SilentStage
    from jobs.progress.reporters import told

    options, stage = DemoOptions(Path(folder).expanduser(), clips, engine), SilentStage()
    with told(progress), own_torch_threads():
        run_demo(options, stage)
        draw_report(options, stage)
    return open_store(options.store)


def train_pocket(
    folder: str | Path,
    *,
    stages: str | Sequence[str] | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    workers: int = 2,
    seed: int = 0,
    smoke: bool = False,
    tell: "Tell | None" = None,
) -> Path | None:
    """Train the model that ships with the project again, from rendered music.

    Every stage keeps checkpoints and goes on where it stopped; a finished one is not run again.

    Args:
        folder: gets everything; its checkpoint is a model like any other.
        stages: some of "corpus", "recognizers", "codec", "codes", "models", "export", "evaluation",
            "scorers", "curves"; None for all.
        device: where to train.
        workers: processes of one thread each, whose gradients are averaged.
        seed: another seed, another model.
        smoke: a few steps of everything, to see that it runs.
        tell: is called with stage, step, steps and losses, in workers too: it must be one that can be
            pickled.

    Returns:
        The checkpoint, or None where there is none yet.

    Raises:
        InvalidInput: there is no such stage, or the folder lies in a store.
    """
    from jobs.train_pocket.options import TrainOptions
    from jobs.train_pocket.training import train

    named = stages if stages is None or isinstance(stages, str) else ",".join(stages)
    options = TrainOptions(Path(folder).expanduser(), named, device, workers, seed, smoke)
    with own_torch_threads():
        return train(options, _silence if tell is None else tell)


def _silence(_stage: str, _step: int, _steps: int, _losses: Mapping[str, float]) -> None:
    """Tell nobody."""
