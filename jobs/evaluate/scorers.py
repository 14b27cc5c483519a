"""Scorers as workers hold them: from audio to rows of embeddings or of evaluations."""

from dataclasses import replace
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluate.items import Items
from jobs.evaluate.records import CLAP, embedding_rows, score_rows
from pipelines.scorers.protocol import Scores, SoundScorer, load_scorer
from store.errors import BrokenPlugin, counted
from store.extensions import SCORERS
from store.results.parts import digest_of
from store.results.sounds import EMBEDDINGS, EVALUATIONS, EmbeddingRow, EvaluationRow
from store.results.table import now


class RowScorer(Protocol):
    """Turns audio into rows of results."""

    kind: str
    """Kind of results that it writes."""
    version: str
    """Stands for all that decides its scores."""
    sample_rate: int
    channels: int
    """That it hears: with 1, those of a sound are mixed."""

    def rows_of(self, items: Items, audio: NDArray[np.float32]) -> pa.Table:
        """From the audio (B, samples), or (B, samples, 2), of B items, at the scorer's rate, to rows."""


class RowScorerSource(Protocol):
    """Makes a scorer wherever a worker runs; travels there with all that it needs."""

    def __call__(self, *, device: str) -> RowScorer:
        """Load what is slow to load."""


class ClapEmbedder:
    """Embeds audio; texts are compared with the embeddings later, without the audio."""

    kind = EMBEDDINGS.kind
    channels = 1

    def __init__(self, name: str, *, device: str) -> None:
        from pipelines.scorers.clap import load_clap

        self._clap = load_clap(name, device=device)
        self.version = self._clap.info.fingerprint
        self.sample_rate = self._clap.info.sample_rate

    def rows_of(self, items: Items, audio: NDArray[np.float32]) -> pa.Table:
        info = self._clap.info
        embeddings = self._clap.embed_audio(audio)
        common = EmbeddingRow(clap=info.name, clap_fingerprint=info.fingerprint, created_at=now())
        return EMBEDDINGS.of(embedding_rows(items, embeddings, common))


class SoundRows:
    """Asks a scorer of sounds alone; the version in its rows holds that of the plug-in that it comes from."""

    kind = EVALUATIONS.kind
    channels = 1

    def __init__(self, name: str, *, device: str) -> None:
        self._name = name
        self._scorer = load_scorer(name, device=device)
        self.version = scorer_version(name, self._scorer)
        self.sample_rate = self._scorer.sample_rate

    def rows_of(self, items: Items, audio: NDArray[np.float32]) -> pa.Table:
        common = EvaluationRow(
            scorer=self._name,
            scorer_name=self._scorer.name,
            scorer_version=self.version,
            plugin=SCORERS.recorded(self._name).get("plugin"),
            created_at=now(),
        )
        rows: list[EvaluationRow] = []
        with SCORERS.called(self._name):
            given = list(self._scorer.score(audio))
        for scores in given:
            if len(scores.values) != len(items.members):
                raise BrokenPlugin(
                    f"The scorer {self._name!r} gave {counted(len(scores.values), 'value')} of "
                    f"{scores.concept!r} for {counted(len(items.members), 'sound')}."
                )
            own = replace(common, concept=scores.concept, measure=scores.measure)
            rows += score_rows(items, *_by_class(scores), own)
        return EVALUATIONS.of(rows)


def _by_class(scores: Scores) -> tuple[NDArray[np.float64], dict[str, str | None] | dict[None, None]]:
    """Values (B, C) and their classes; a number is the value of no class."""
    values = scores.values.astype(np.float64)
    return (values, dict.fromkeys(scores.classes)) if scores.classes else (values[:, None], {None: None})


def scorer_version(name: str, scorer: SoundScorer) -> str:
    """What rows and jobs know a scorer by: its own version, and for a plug-in also the distribution's."""
    plugin = SCORERS.recorded(name)
    return digest_of([plugin, scorer.version]) if plugin else scorer.version


def load_row_scorer(name: str, *, device: str) -> RowScorer:
    """A scorer of sounds by its name, or a CLAP by the name that `load_clap` knows, after "clap:"."""
    scorer, _, model = name.partition(":")
    return ClapEmbedder(model, device=device) if scorer == CLAP else SoundRows(name, device=device)
