"""The key of a listening test: what each of its sounds is, kept in the store and nowhere else."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from jobs.evaluation.records import now
from jobs.listening.trials import ListeningTest
from jobs.results import write_results
from store.opening import Store

KIND = "listening_sounds"

_TEXT, _COUNT = pa.string(), pa.int64()
_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "test_id": (_TEXT, "the listening test"),
    "sweep": (_TEXT, "name of the sweep"),
    "sweep_id": (_TEXT, "hash of its file and run"),
    "trial_id": (_TEXT, "what is compared on one screen"),
    "kind": (_TEXT, "rating (how like the reference, 0 to 100) or choice (which is most like the target)"),
    "sound_id": (_TEXT, "name of the file; says nothing of what it is"),
    "role": (_TEXT, "reference (hidden), anchor (behind a low-pass filter), unsteered, steered or random"),
    "generation_id": (_TEXT, "what is heard"),
    "setting_id": (_TEXT, "setting that is judged, as in the view effects"),
    "concept": (_TEXT, "label column that is steered"),
    "source": (_TEXT, "class of the prompt"),
    "target": (_TEXT, "class that it is steered to; several joined by +"),
    "template": (_TEXT, "prompt with the class in braces"),
    "audio_prompt": (_TEXT, "recording that is continued, as the sweep's file names it; NULL: none"),
    "random_state": (_COUNT, "of the sampling noise"),
    "created_at": (pa.timestamp("us"), "when the test was made (UTC)"),
}  # fmt: skip
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in _COLUMNS.items()]
)


def write_key(store: Store, test: ListeningTest) -> str:
    """Keep the key; returns the name of the part."""
    rows = [row | {"created_at": now()} for row in _rows(test)]
    return write_results(store, KIND, {"test": test.test_id}, pa.Table.from_pylist(rows, schema=SCHEMA))


def _rows(test: ListeningTest) -> Iterator[dict[str, Any]]:
    for trial in test.trials:
        for stimulus in trial.stimuli:
            yield trial.place | {
                "test_id": test.test_id,
                "trial_id": trial.trial_id,
                "kind": trial.kind,
                "sound_id": stimulus.sound_id,
                "role": stimulus.role,
                "generation_id": stimulus.generation_id,
            }
