"""Scorers as workers hold them: from audio to rows of embeddings or of evaluations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluate.records import (
    CLAP,
    EMBEDDINGS,
    EVALUATIONS,
    embeddings_table,
    evaluations_table,
    scores,
)
from pipelines.scorers.protocol import Scores, SoundScorer, load_scorer
from store.errors import BrokenPlugin
from store.extensions import SCORERS
from store.results.parts import digest_of
from store.results.table import now

Rows = Sequence[Mapping[str, Any]]


class RowScorer(Protocol):
    """Turns audio into rows of results."""

    kind: str
    """Kind of results that it writes."""
    version: str
    """Stands for all that decides its scores."""
    sample_rate: int

    def rows_of(self, items: Rows, audio: NDArray[np.float32]) -> pa.Table:
        """From audio (B, samples) at the scorer's rate to rows; `items` as `item_columns` gives them."""


class RowScorerSource(Protocol):
    """Makes a scorer wherever a worker runs; travels there with all that it needs."""

    def __call__(self, *, device: str) -> RowScorer:
        """Load what is slow to load."""


class ClapEmbedder:
    """Embeds audio; texts are compared with the embeddings later, without the audio."""

    kind = EMBEDDINGS

    def __init__(self, name: str, *, device: str) -> None:
        from pipelines.scorers.clap import load_clap

        self._clap = load_clap(name, device=device)
        self.version = self._clap.info.fingerprint
        self.sample_rate = self._clap.info.sample_rate

    def rows_of(self, items: Rows, audio: NDArray[np.float32]) -> pa.Table:
        info = self._clap.info
        embeddings = self._clap.embed_audio(audio)
        return embeddings_table(items, embeddings, clap=info.name, fingerprint=info.fingerprint)


class SoundRows:
    """Asks a scorer of sounds alone; the version in its rows holds that of the plug-in that it comes from."""

    kind = EVALUATIONS

    def __init__(self, name: str, *, device: str) -> None:
        self._name = name
        self._scorer = load_scorer(name, device=device)
        self.version = scorer_version(name, self._scorer)
        self.sample_rate = self._scorer.sample_rate

    def rows_of(self, items: Rows, audio: NDArray[np.float32]) -> pa.Table:
        common = {
            "scorer": self._name,
            "scorer_name": self._scorer.name,
            "scorer_version": self.version,
            **SCORERS.recorded(self._name),
            "created_at": now(),
        }
        rows: list[dict[str, Any]] = []
        with SCORERS.called(self._name):
            given = list(self._scorer.score(audio))
        for said in given:
            if len(said.values) != len(items):
                raise BrokenPlugin(
                    f"The scorer {self._name!r} said {len(said.values)} values of {said.concept!r} for "
                    f"{len(items)} sounds."
                )
            rows += _rows_of(said, items, common)
        return evaluations_table(rows)


def _rows_of(said: Scores, items: Rows, common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    own = {**common, "concept": said.concept, "measure": said.measure}
    if said.classes:
        yield from scores(items, said.values.astype(np.float64), dict.fromkeys(said.classes), **own)
        return
    for item, value in zip(items, said.values, strict=True):
        yield {**item, **own, "value": float(value)}


def scorer_version(name: str, scorer: SoundScorer) -> str:
    """What rows and jobs know a scorer by: its own version, and for a plug-in also the distribution's."""
    plugin = SCORERS.recorded(name)
    return digest_of([plugin, scorer.version]) if plugin else scorer.version


def load_row_scorer(name: str, *, device: str) -> RowScorer:
    """A scorer of sounds by its name, or a CLAP by the name that `load_clap` knows, after "clap:"."""
    scorer, _, model = name.partition(":")
    return ClapEmbedder(model, device=device) if scorer == CLAP else SoundRows(name, device=device)
