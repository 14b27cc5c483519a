"""Measure what storing frames in fewer bytes does to every probe at all layers of pocket.

    python -m benchmarks.number_formats [--clips N] [--folder FOLDER]

Renders the demo's music, stores the frames of one model as fp32, fp16, bf16 and int8, fits the same probes to
each on the same folds, and prints the table of docs/explanation/number-formats.md.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.demo.running import CLIP_SECONDS, CONCEPTS, render_music
from jobs.execution import StoreDtype
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store import open_store
from store.catalog.asking import Catalog

FORMATS: tuple[StoreDtype, ...] = ("fp32", "fp16", "bf16", "int8")
Place = tuple[str, str, int]
"""Concept, site and layer."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a probe scores on held-out groups."""

    score: float
    low: float
    high: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.number_formats", description=__doc__)
    parser.add_argument("--clips", type=int, default=320)
    parser.add_argument("--folder", type=Path, help="kept, and gone on with; by default a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        store = str(folder / "music.store")
        table = render_music(folder / "audio", given.clips)
        add_dataset(AddRequest(store, "music", str(table), clip_seconds=CLIP_SECONDS))
        found = {kept: _scores(store, kept) for kept in FORMATS}
        print("\n".join(_table(found)))
        print(_bytes(store))


def _scores(store: str, kept: StoreDtype) -> dict[Place, Score]:
    settings: dict[str, Any] = {"reduce": "frames", "engine": "inline", "unit_clips": 64}
    run = run_extraction(ExtractOptions(store, "music", store_dtype=kept, **settings))["run"]
    options = ProbeOptions(
        store, run, CONCEPTS, reduce="frames", handcrafted=False, controls=1, engine="inline"
    )
    rows = probe_run(options).table
    wholes = rows.filter(pc.is_null(rows["class"])).to_pylist()
    return {(row["concept"], row["site"], row["layer"]): _score(row) for row in wholes}


def _score(row: dict[str, Any]) -> Score:
    name = "accuracy" if row["accuracy"] is not None else "r2"
    return Score(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _table(found: dict[StoreDtype, dict[Place, Score]]) -> Iterator[str]:
    """A row per probe, and the largest change of all beside the width of its interval."""
    whole, others = found["fp32"], FORMATS[1:]
    yield f"| probe | site, layer | fp32 (95 %) | {' | '.join(others)} |"
    yield "|---" * (3 + len(others)) + "|"
    for (concept, site, layer), of in sorted(whole.items()):
        scores = [found[kept][concept, site, layer].score for kept in others]
        said = " | ".join(f"{score - of.score:+.4f}" for score in scores)
        yield f"| {concept} | {site} {layer} | {of.score:.3f} ({of.low:.3f} to {of.high:.3f}) | {said} |"
    yield ""
    for kept in others:
        changes = {place: abs(found[kept][place].score - whole[place].score) for place in whole}
        shares = {place: change / (whole[place].high - whole[place].low) for place, change in changes.items()}
        yield (
            f"{kept}: at most {max(changes.values()):.4f}, {max(shares.values()):.1%} of the interval; "
            f"of {len(changes)} probes {list(changes.values()).count(0.0)} are unchanged"
        )


def _bytes(store: str) -> str:
    rows = Catalog.of(open_store(store)).rows(
        "SELECT coalesce(document ->> '$.frames_dtype', 'float16') AS kept, bytes / clips AS nbytes "
        "FROM runs ORDER BY nbytes DESC"
    )
    return "\n".join(f"{row['kept']}: {row['nbytes']:,.0f} bytes per clip" for row in rows)


if __name__ == "__main__":
    main()
