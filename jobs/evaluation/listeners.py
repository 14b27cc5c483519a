"""The two models that hear audio, behind one face: CLAP gives embeddings, the judge gives verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluation.records import (
    EMBEDDINGS,
    EVALUATIONS,
    embeddings_table,
    evaluations_table,
    now,
    scores,
)

Rows = Sequence[Mapping[str, Any]]


class Listener(Protocol):
    """Turns audio into rows of results."""

    kind: str
    """Kind of results that it writes."""
    version: str
    """Stands for all that decides what it says."""
    sample_rate: int

    def hear(self, items: Rows, audio: NDArray[np.float32]) -> pa.Table:
        """From audio (B, samples) at the listener's rate to rows; `items` as `item_columns` gives them."""


class ListenerSource(Protocol):
    """Makes a listener wherever a worker runs; travels there with all that it needs."""

    def __call__(self, *, device: str) -> Listener:
        """Load what is slow to load."""


class ClapListener:
    """Embeds audio; texts are compared with the embeddings later, without the audio."""

    kind = EMBEDDINGS

    def __init__(self, name: str, *, device: str) -> None:
        from pipelines.clap import load_clap

        self._clap = load_clap(name, device=device)
        self.version = self._clap.info.fingerprint
        self.sample_rate = self._clap.info.sample_rate

    def hear(self, items: Rows, audio: NDArray[np.float32]) -> pa.Table:
        info = self._clap.info
        embeddings = self._clap.embed_audio(audio)
        return embeddings_table(items, embeddings, clap=info.name, fingerprint=info.fingerprint)


class JudgeListener:
    """Says how likely each class is, and the tempo."""

    kind = EVALUATIONS

    def __init__(self) -> None:
        from pipelines.pocket.judge import load_judge
        from pipelines.pocket.judge_network import SAMPLE_RATE

        self._judge = load_judge()
        self.version = self._judge.fingerprint
        self.sample_rate = SAMPLE_RATE

    def hear(self, items: Rows, audio: NDArray[np.float32]) -> pa.Table:
        common = {
            "scorer": "judge",
            "scorer_name": "pocket",
            "scorer_version": self.version,
            "created_at": now(),
        }
        rows: list[dict[str, Any]] = []
        for concept, (names, values) in self._judge.probabilities(audio, self.sample_rate).items():
            classes = dict.fromkeys(names)
            rows += scores(items, values, classes, concept=concept, measure="probability", **common)
        tempos = self._judge.tempo_bpm(audio, self.sample_rate)
        for item, tempo in zip(items, tempos, strict=True):
            rows.append({**item, **common, "concept": "tempo", "measure": "tempo_bpm", "value": float(tempo)})
        return evaluations_table(rows)


def load_listener(name: str, *, device: str) -> Listener:
    """`judge`, or a CLAP by the name that `load_clap` knows, after "clap:"."""
    scorer, _, model = name.partition(":")
    return JudgeListener() if scorer == "judge" else ClapListener(model, device=device)
