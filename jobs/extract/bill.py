"""The bill of an extraction before it runs: time, bytes, objects, requests and dollars."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from jobs.engine.placement import local_workers
from jobs.extract.cutting import unit_bytes
from jobs.extract.estimate import Pace, measure_pace
from jobs.extract.options import ExtractOptions
from jobs.extract.planning import Extraction, resolve
from jobs.extract.prices import PRICE_LIST, Prices
from jobs.extract.rehearsal import Footprint, rehearse, stored, unit_lengths
from jobs.extract.spec import ExtractionSpec
from jobs.progress.reporting import clock
from jobs.terminal.results import readable_bytes
from store.errors import counted
from store.heartbeats import EVERY_SECONDS

PUTS, GETS = ("PUT", "LIST"), ("GET", "HEAD")
"""Requests of one price."""
OWN_PRICES = Prices()


@dataclass(frozen=True, slots=True)
class Frames:
    """Whether to keep every frame of the chosen sites and layers, or to compute them when they are wanted."""

    nbytes: int
    keeping: float
    """Dollars for the months in a bucket, and for writing them there."""
    computing: float
    """Dollars for one more pass over the stored codes."""

    @property
    def store(self) -> bool:
        """Whether keeping them costs less than computing them once again."""
        return self.keeping < self.computing

    def told(self, months: float) -> str:
        """The advice in a sentence."""
        keeping, computing = dollars(self.keeping), dollars(self.computing)
        sums = f"keeping them {months:g} months costs {keeping}, one more pass {computing}"
        if self.store:
            return f"store: {sums}; it pays from the first time that you read them again"
        if not self.computing:
            return f"recompute: {sums}"
        return f"recompute: {sums}; storing pays from {ceil(self.keeping / self.computing):,} passes on"


def describe_extraction(options: ExtractOptions, prices: Prices = OWN_PRICES) -> dict[str, Any]:
    """What the extraction would do and cost, as JSON values; times are measured on one batch."""
    work = resolve(options)
    return bill(work, measure_pace(options, work.spec), prices)


def bill(work: Extraction, pace: Pace, prices: Prices) -> dict[str, Any]:
    """The bill at a known pace."""
    spec, clips = work.spec, len(work.clips)
    footprint = rehearse(spec, work.clips, note_attempts=work.options.engine == "inline")
    lengths = unit_lengths(work.clips, spec.unit_clips)
    units = len(lengths)
    arrays = {array.name: stored([array], spec.unit_clips, lengths)[1] for array in spec.arrays()}
    of_codes = unit_lengths(work.clips, spec.codes_unit_clips)
    codes = stored([spec.codes_array()], spec.codes_unit_clips, of_codes)[1] if spec.has_codes else 0
    total = sum(arrays.values()) + codes + round(footprint.small_bytes)
    worker_seconds = clips * (pace.encode + pace.forward)
    workers = min(local_workers(work.options, spec.model, unit_bytes(spec)), units)
    seconds = worker_seconds / workers
    cores = 1 if pace.device == "cuda" else spec.threads
    requests = _requests(footprint, seconds)
    computing = prices.of_time(worker_seconds, device=pace.device, threads=spec.threads)
    asking = _dollars_of(requests, prices)
    keeping = prices.of_space(total)
    return {
        "run": spec.run_id(),
        "model": spec.model.name + (" (random weights)" if spec.model.random_weights else ""),
        "clips": clips,
        "units": units,
        "unit_clips": spec.unit_clips,
        "array_bytes": arrays,
        "codes_bytes": codes,
        "total_bytes": total,
        "bytes_per_clip": round(total / clips),
        "objects": {
            "shards": round(footprint.shards),
            "markers": round(footprint.markers),
            "documents": round(footprint.documents),
        },
        "requests": requests,
        "workers": workers,
        "estimated_seconds": round(seconds, 3),
        f"{'gpu' if pace.device == 'cuda' else 'cpu'}_hours": round(cores * worker_seconds / 3600, 6),
        "dollars": {
            "computing": round(computing, 6),
            "requests": round(asking, 6),
            "space": round(keeping, 6),
            "total": round(computing + asking + keeping, 6),
        },
        "months": prices.months,
        "frames": _frames(work, pace, prices),
        "estimated_from": (
            f"one batch on this machine ({pace.device}), {_parts(spec)}, without decoding and writing; "
            "space and requests as a bucket counts them"
            + ("; compression would make shards smaller" if spec.compression != "none" else "")
        ),
        "prices_from": PRICE_LIST
        if prices == OWN_PRICES
        else f"the command; where it says none, {PRICE_LIST}",
    }


def _parts(spec: ExtractionSpec) -> str:
    return "EnCodec and MusicGen" if spec.has_codes else "the encoder"


def _requests(footprint: Footprint, seconds: float) -> dict[str, int]:
    """Requests of the units, and the heartbeats of the run and its codes meanwhile."""
    beats = {"PUT": 2 * seconds / EVERY_SECONDS}
    return {kind: round(count + beats.get(kind, 0.0)) for kind, count in footprint.requests.items()}


def _dollars_of(requests: Mapping[str, float], prices: Prices) -> float:
    return prices.of_requests(
        puts=sum(requests[kind] for kind in PUTS), gets=sum(requests[kind] for kind in GETS)
    )


def _frames(work: Extraction, pace: Pace, prices: Prices) -> dict[str, Any]:
    """The advice for the frames of the chosen sites and layers, also where they are not asked for."""
    spec = work.spec
    whole = replace(spec, capture=replace(spec.capture, reductions=("frames",)))
    clips = len(work.clips)
    shards, nbytes = stored(whole.arrays(), spec.unit_clips, unit_lengths(work.clips, spec.unit_clips))
    frames = Frames(
        nbytes,
        keeping=prices.of_space(nbytes) + prices.of_requests(puts=shards, gets=0.0),
        computing=prices.of_time(clips * pace.forward, device=pace.device, threads=spec.threads),
    )
    return {
        "bytes": nbytes,
        "dollars_to_keep": round(frames.keeping, 6),
        "dollars_to_recompute": round(frames.computing, 6),
        "advice": frames.told(prices.months),
    }


def dollars(amount: float) -> str:
    """An amount for people."""
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else f"${amount:.2g}"


def in_words(values: Mapping[str, Any]) -> dict[str, str]:
    """A bill for people: what `print_result` shows on a terminal."""
    arrays = {**values["array_bytes"], "codes": values["codes_bytes"]}
    spent, months = values["dollars"], values["months"]
    hours = next(name for name in ("gpu_hours", "cpu_hours") if name in values)
    units = f"{counted(values['units'], 'unit')} of {values['unit_clips']}"
    time = f"{counted(values['clips'], 'clip')} in {units}, {clock(values['estimated_seconds'])}"
    return {
        "run": values["run"],
        "model": values["model"],
        "time": f"{time} on {values['workers']} worker(s), {values[hours]:,.2f} {hours.replace('_', ' ')}",
        "space": f"{readable_bytes(values['total_bytes'])} ({readable_bytes(values['bytes_per_clip'])} per "
        "clip), of which " + ", ".join(f"{name} {readable_bytes(nbytes)}" for name, nbytes in arrays.items()),
        "objects": ", ".join(f"{count:,} {kind}" for kind, count in values["objects"].items()),
        "requests": ", ".join(f"{count:,} {kind}" for kind, count in values["requests"].items() if count),
        "dollars": f"{dollars(spent['total'])}: computing {dollars(spent['computing'])}, requests "
        f"{dollars(spent['requests'])}, {months:g} months of space {dollars(spent['space'])}",
        "frames": f"{readable_bytes(values['frames']['bytes'])}; {values['frames']['advice']}",
        "measured": values["estimated_from"],
        "prices": values["prices_from"],
    }
