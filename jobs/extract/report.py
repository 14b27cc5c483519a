"""Messages of an extraction: warnings before it, a summary after it."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jobs.engine.dispatch import GivenUp
from jobs.engine.tally import Tally
from jobs.extract.planning import Extraction
from jobs.extract.texts import template_fields
from jobs.extract.units import ExtractionUnit
from jobs.progress.reporting import note
from pipelines.models.named import check_weights
from store.arrays.collection import Collection
from store.arrays.plan import MELODY
from store.catalog.asking import Catalog
from store.errors import counted
from store.results.recordings import RECORDINGS

MANY = 0.01
"""Share of the values at a place that underflow, from which it is said."""


def announce(work: Extraction) -> None:
    """Say beforehand what a reader of the results must know."""
    spec = work.spec
    if spec.model.random_weights:
        note(f"{spec.model.name} has random weights; its activations mean nothing.")
    if spec.model.code:
        note(_of_code(work))
    for said in check_weights(work.options.named_model, last_block=spec.capture.last_block(spec.model)):
        note(said, kind="Warning")
    if spec.model.channels > 1 and (said := _heard_in_stereo(work)):
        note(said)
    if without := work.clips[MELODY].to_pylist().count("") if spec.melody_column else 0:
        note(f"{without:,} of {counted(len(work.clips), 'clip')}: no melody in {spec.melody_column}.")
    leaks = template_fields(spec.text)
    if leaks:
        note(
            f"the text condition names {', '.join(leaks)}: a probe for it can read the prompt instead of the "
            "music.",
            kind="Warning",
        )


def _of_code(work: Extraction) -> str:
    """What is to be said once of code that a user asked to run."""
    info = work.spec.model
    whose = "that comes with the weights" if info.trust_remote_code else "of your own"
    files = ", ".join(f"{name} (SHA-256 {digest[:12]}…)" for name, digest in info.code)
    said = f"{info.name} runs code {whose}, {files}, which the run records."
    own, prefix = work.spec.run_id(), work.spec.run_prefix()
    earlier = [name for name in work.store.runs() if name.startswith(prefix) and name != own]
    others = [name for name in earlier if _code_in(work, name) not in (None, dict(info.code))]
    if not others:
        return said
    return f"{said} It is not that of {', '.join(others)}: another model, whose rows are kept apart."


def _code_in(work: Extraction, run_id: str) -> dict[str, str] | None:
    code = work.store.run(run_id).document["model"].get("code")
    return code if isinstance(code, dict) else None


def _heard_in_stereo(work: Extraction) -> str:
    """What becomes of mono recordings in front of a stereo model; "" where there are none."""
    catalog, dataset = Catalog.of(work.store), work.dataset.name
    query = (
        "SELECT count(*) FILTER (channels = 1) AS single, count(*) AS files FROM ("
        "SELECT uri, arg_max(channels, created_at) AS channels FROM recordings WHERE dataset = $dataset "
        "AND channels IS NOT NULL GROUP BY uri)"
    )
    known = catalog.rows(query, dataset=dataset) if catalog.has(RECORDINGS.kind) else []
    said = f"{work.spec.model.name} hears two channels"
    if not known or not known[0]["files"]:
        return f"{said}; mono recordings are heard on both sides."
    if not known[0]["single"]:
        return ""
    return (
        f"{said}; {known[0]['single']:,} of {counted(known[0]['files'], 'recording')} of {dataset} "
        "are mono and are heard on both sides."
    )


def summarize(
    work: Extraction, run: Collection, tally: Tally, given_up: Sequence[GivenUp[ExtractionUnit]]
) -> dict[str, Any]:
    """The result of the command, as JSON values."""
    run.refresh()
    states, missing = run.counts(), len(run.missing())
    summary: dict[str, Any] = {
        "run": work.spec.run_id(),
        "model": work.spec.model.name + (" (random weights)" if work.spec.model.random_weights else ""),
        "clips": sum(states.values()),
        "failed": states["failed"],
        "silent": states["silent"],
        "written_bytes": tally.bytes_written,
        "seconds": round(time.monotonic() - tally.started, 1),
        "loading_seconds": tally.snapshot()["loading_seconds"],
        "clips_per_second": tally.snapshot()["clips_per_second"],
        "complete": not missing,
    }
    if not tally.done and not missing:
        summary["note"] = "this run was complete already"
    if given_up:
        first = given_up[0]
        summary["given_up"] = (
            f"{counted(len(given_up), 'unit')}, first {first.unit.unit_id}: {first.problem.message}"
        )
    summary |= _range_notes(run)
    if states["failed"]:
        summary["next"] = (
            "extract --retry-failed tries the failed clips again; view failures tells why they failed"
        )
    return summary


def _range_notes(run: Collection) -> dict[str, str]:
    """Warnings of values that left the range of bf16 or fp16, where the run is of one of these."""
    dtype = run.document["dtype"]
    if dtype == "float32":
        return {}
    sums: dict[str, Counter[str]] = {"values": Counter(), "overflow": Counter(), "underflow": Counter()}
    for row in run.commits().rows(["provenance"]):
        for one in json.loads(row["provenance"]).get("range", []):
            for kind, counts in sums.items():
                names = (f"{one['site']} layer {layer}" for layer in one["layers"])
                counts.update(dict(zip(names, one[kind], strict=True)))
    notes = {}
    lost = +sums["overflow"]
    if lost:
        notes["overflow"] = (
            f"{lost.total():,} values overflowed in {dtype}, most at {max(lost, key=lambda at: lost[at])}; "
            f"their clips failed: use --dtype {'bf16 or ' if dtype == 'float16' else ''}fp32"
        )
    small = {name: n / sums["values"][name] for name, n in sums["underflow"].items() if n}
    if small and max(small.values()) > MANY:
        worst = max(small, key=lambda name: small[name])
        notes["underflow"] = (
            f"{small[worst]:.1%} of the values at {worst} are zero or too small for {dtype}; the view "
            "number_ranges tells of all places, and --dtype fp32 has none"
        )
    return notes
