"""A store with every view there can be, all values NULL: to list columns, and to try queries on."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from jobs.clusterings.table import assignments_table, clusterings_table
from jobs.evaluation.records import EMBEDDING_SCHEMA, evaluations_table
from jobs.fitting.labels import LABELS_SCHEMA
from jobs.generation import records as generations
from jobs.listening import key, ratings
from jobs.probing.table import confusions_table, probes_table
from jobs.results import write_results
from jobs.steering_vectors.stored import vectors_table
from jobs.sweeping import effects, interference, scorer_accuracy, strengths
from jobs.sweeping import table as sweep_table
from jobs.sweeping.scoring import similarities_table
from store.catalog import refresh_catalog
from store.datasets import add_dataset
from store.opening import open_store
from store.records import Clip


def result_tables() -> dict[str, pa.Table]:
    """Kind of result → its table with one row of NULLs."""
    return {
        "assignments": assignments_table(defaultdict(lambda: [None])),
        "clusterings": clusterings_table([{}]),
        "confusions": confusions_table([{}]),
        "cross_effects": _one_row(interference.SCHEMA),
        "effects": _one_row(effects.SCHEMA),
        "embeddings": _one_row(EMBEDDING_SCHEMA),
        "evaluations": evaluations_table([{}]),
        "generations": _one_row(generations.SCHEMA),
        "labels": _one_row(LABELS_SCHEMA),
        "listening_sounds": _one_row(key.SCHEMA),
        "probes": probes_table([{}]),
        "ratings": _one_row(ratings.SCHEMA),
        "scorer_accuracy": _one_row(scorer_accuracy.SCHEMA),
        "similarities": similarities_table([{}]),
        "strengths": _one_row(strengths.SCHEMA),
        "sweep_generations": _one_row(sweep_table.SCHEMA),
        "vectors": vectors_table([{}]),
    }


def example_catalog(folder: Path, labels: Sequence[str] = ()) -> Path:
    """The catalog of such a store below `folder`; its one clip has these labels, if any."""
    store = open_store(folder / "example.store", create=True)
    if labels:
        clip = Clip(
            "0" * 16, "a.wav", 0.0, 4.0, "group", "train", "0" * 64, 0.0, dict.fromkeys(labels, "text")
        )
        add_dataset(store.objects, "songs", {"format": "folder"}, [clip], [])
    for kind, table in result_tables().items():
        write_results(store, kind, {"kind": kind}, table)
    return refresh_catalog(store)


def _one_row(schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{}], schema=schema)
