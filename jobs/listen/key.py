"""The key of a listening test, which says what each sound is; it never leaves the store."""

from collections.abc import Iterator
from typing import Any

from jobs.evaluate.records import now
from jobs.listen.trials import ListeningTest
from store.opening import Store
from store.results.parts import write_results
from store.results.schemas import TABLES

KIND = "listening_sounds"


def write_key(store: Store, test: ListeningTest) -> str:
    """Keep the key; returns the name of the part."""
    rows = [row | {"created_at": now()} for row in _rows(test)]
    return write_results(store, KIND, {"test": test.test_id}, TABLES[KIND].of(rows))


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
