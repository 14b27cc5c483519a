"""Python's `demo`: the whole journey, from nothing to a store and its report."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.api.extraction import own_torch_threads
from jobs.api.stores import Store, open_store

if TYPE_CHECKING:
    from jobs.execution import Engine
    from jobs.progress.reporters import Told


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
