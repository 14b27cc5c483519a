"""Metrics of a job for Prometheus: on Ray's endpoint, and as a file for node_exporter to read."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from jobs.engine.tally import Tally
from jobs.engine.tasks import Done, Failed
from jobs.progress.reporting import note
from store.errors import InvalidInput

if TYPE_CHECKING:
    from prometheus_client.core import Metric

EVERY_SECONDS = 5.0
"""Between two readings of a job; Prometheus asks every 15 seconds or so."""
PREFIX = "undertone_"
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of a job: what it is called, and where its value comes from."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[Tally], float | Mapping[str, float]]
    """The value, or one for every stage."""

    def values(self, tally: Tally) -> Iterator[tuple[Labels, float]]:
        """Values with the labels that tell them apart."""
        found = self.read(tally)
        if isinstance(found, Mapping):
            yield from (({"stage": stage}, value) for stage, value in found.items())
        else:
            yield {}, found


SERIES = (
    Series("items", "counter", "Clips, or what the job counts, that are committed.", lambda t: t.done),
    Series(
        "items_failed", "counter", "Of these, and of units given up, those without a result.",
        lambda t: t.failed + t.given_up,
    ),
    Series(
        "items_waiting", "gauge", "Items that are queued or being computed.",
        lambda t: max(0, t.total - t.before - t.done - t.given_up),
    ),
    Series("units", "counter", "Units that are committed.", lambda t: t.units),
    Series("units_retried", "counter", "Units sent again after an error or loss.", lambda t: t.retries),
    Series("units_given_up", "counter", "Units that failed in every attempt.", lambda t: t.units_given_up),
    Series("bytes_written", "counter", "Bytes of committed shards.", lambda t: t.bytes_written),
    Series("workers", "gauge", "Workers that are ready.", lambda t: len(t.ready_since)),
    Series("workers_lost", "counter", "Workers that died or went away.", lambda t: t.lost_workers),
    Series("stage_seconds", "counter", "Seconds of workers' time by stage.", lambda t: t.stage_seconds),
)  # fmt: skip


class Sink(Protocol):
    """Takes the readings of a job."""

    def take(self, tally: Tally, labels: Labels) -> None:
        """Publish what a tally says now."""


class Metrics:
    """Publishes a tally now and then; what cannot be published stops no job."""

    def __init__(self, tally: Tally, labels: Labels, sinks: Sequence[Sink]) -> None:
        self._tally, self._labels, self._sinks = tally, labels, sinks
        self._taken = -float("inf")

    def update(self, *, now: bool = False) -> None:
        """Publish, unless that was done a moment ago."""
        if now or time.monotonic() - self._taken >= EVERY_SECONDS:
            self._taken = time.monotonic()
            for sink in self._sinks:
                sink.take(self._tally, self._labels)


@contextmanager
def publishing(tally: Tally, *, title: str, file: Path | None) -> Iterator[Metrics]:
    """Publish a job's metrics at the beginning, on every update that is due, and however it ends.

    Raises:
        InvalidInput: the file cannot be written where it is to be.
    """
    sinks: list[Sink] = [_RaySink()] if _is_on_ray() else []
    if file is not None:
        sinks.append(_TextFile(file))
    metrics = Metrics(tally, {"job": title, "items": tally.what}, sinks)
    metrics.update(now=True)
    try:
        yield metrics
    finally:
        metrics.update(now=True)


class _TextFile:
    """A file in Prometheus's text format, which is always whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._told = path, False
        if self._path.is_dir() or not self._path.parent.is_dir():
            raise InvalidInput(
                f"--metrics-file {str(self._path)!r} cannot be written: name a file in a folder that exists, "
                "such as /var/lib/node_exporter/textfile/undertone.prom."
            )

    def take(self, tally: Tally, labels: Labels) -> None:
        from prometheus_client import CollectorRegistry, write_to_textfile

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Readings(tally, labels))
        try:
            write_to_textfile(str(self._path), registry)
        except OSError as error:
            if not self._told:
                note(
                    f"--metrics-file {str(self._path)!r} cannot be written: {error.strerror}", kind="Warning"
                )
            self._told = True


class _Readings:
    """The readings of a tally as prometheus_client collects them."""

    def __init__(self, tally: Tally, labels: Labels) -> None:
        self._tally, self._labels = tally, labels

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for series in SERIES:
            family = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
            values = [(dict(self._labels) | dict(own), value) for own, value in series.values(self._tally)]
            names = list(values[0][0]) if values else []
            metric = family(PREFIX + series.name, series.help, labels=names)
            for labels, value in values:
                metric.add_metric([labels[name] for name in names], value)
            yield metric


class _RaySink:
    """Ray's own endpoint, one on every node; counters are told what was added."""

    def __init__(self) -> None:
        from ray.util import metrics

        kinds: dict[str, Any] = {"counter": metrics.Counter, "gauge": metrics.Gauge}
        tags = ("job", "items", "stage")
        self._metrics = {
            series.name: kinds[series.kind](PREFIX + series.name, series.help, tag_keys=tags)
            for series in SERIES
        }
        self._before: defaultdict[tuple[str, str], float] = defaultdict(float)

    def take(self, tally: Tally, labels: Labels) -> None:
        for series in SERIES:
            for own, value in series.values(tally):
                tags = {**labels, "stage": own.get("stage", "")}
                if series.kind == "gauge":
                    self._metrics[series.name].set(value, tags=tags)
                    continue
                known = (series.name, tags["stage"])
                if value > self._before[known]:
                    self._metrics[series.name].inc(value - self._before[known], tags=tags)
                    self._before[known] = value


class WorkerMetrics:
    """What one actor on Ray did, on the endpoint of its node."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter

        self._units = Counter(PREFIX + "worker_units", "Units by outcome.", tag_keys=("outcome",))
        self._bytes = Counter(PREFIX + "worker_bytes_written", "Bytes of committed shards.")
        self._seconds = Counter(PREFIX + "worker_stage_seconds", "Seconds by stage.", tag_keys=("stage",))

    def add(self, event: Done[Any, Any] | Failed[Any]) -> None:
        """Count what became of a task; a trial has no receipt."""
        if isinstance(event, Failed):
            self._units.inc(tags={"outcome": "raised"})
        if isinstance(event, Failed) or event.receipt is None:
            return
        receipt = event.receipt
        self._units.inc(tags={"outcome": "committed" if receipt.won else "committed elsewhere"})
        if receipt.bytes_written:
            self._bytes.inc(receipt.bytes_written)
        for stage, seconds in receipt.seconds.items():
            if seconds > 0:
                self._seconds.inc(seconds, tags={"stage": stage})


def _is_on_ray() -> bool:
    """Whether this process is connected; a job without Ray does not import it."""
    import sys

    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
