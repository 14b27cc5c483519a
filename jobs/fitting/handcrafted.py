"""Handcrafted features as sources beside the layers: what the audio itself gives away without a model."""

from jobs.fitting.labels import LabelledRows
from jobs.fitting.probe_options import ProbeOptions
from jobs.fitting.probe_plan import Source
from store.collection import Collection
from store.opening import Store


def handcrafted_sources(
    store: Store, run: Collection, labels: LabelledRows, options: ProbeOptions
) -> tuple[list[Source], list[str]]:
    return [], []
