"""Writes a listening test: a page, its sounds beside it, and the key into the store."""

from pathlib import Path
from typing import Any

from jobs.listen.key import write_key
from jobs.listen.page import SOUNDS, render_test
from jobs.listen.sounds import write_sounds
from jobs.listen.trials import plan_test
from store.errors import InvalidInput
from store.opening import open_store


def export_test(
    store: str, sweep: str, folder: Path, *, settings: int, cells: int, seed: int
) -> dict[str, Any]:
    """Write the page of a test into a folder that is new or empty; returns a summary.

    Raises:
        InvalidInput: something is in the folder already.
        NotFound: no such sweep, or a sound of it is gone.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty; name a new folder, so that no old sound stays in a test.")
    opened = open_store(store)
    test = plan_test(opened, sweep, settings=settings, cells=cells, seed=seed)
    (folder / SOUNDS).mkdir(parents=True, exist_ok=True)
    for trial in test.trials:
        write_sounds(opened, trial, folder / SOUNDS)
    write_key(opened, test)
    (folder / "index.html").write_text(render_test(test), encoding="utf-8")
    return {
        "test": test.test_id,
        "sweep": test.sweep,
        "settings": len({trial.place["setting_id"] for trial in test.trials}),
        "trials": len(test.trials),
        "sounds": len(list((folder / SOUNDS).iterdir())),
        "page": str(folder / "index.html"),
    }
