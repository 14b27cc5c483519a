"""Tests that every scorer must pass, of sounds alone or of sweeps: the author of one subclasses them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.sweep.scorers import Scorer, SweepSounds, load_sweep_scorer
from pipelines.scorers.protocol import Scores, SoundScorer, load_scorer
from store.catalog.asking import Catalog
from store.extensions import SCORERS, SWEEP_SCORERS


class ScorerConformance:
    """Subclass it as `class TestMine(ScorerConformance)`, give `name`, and run pytest."""

    name: str
    """Of the entry point in the group undertone.scorers."""
    seconds = 2.0
    """Length of the sounds that are tried."""
    tolerance = 1e-4
    """By how much a score may depend on the batch that its sound comes in."""

    def sounds(self, sample_rate: int) -> NDArray[np.float32]:
        """Sounds (B, samples) at the scorer's rate: by default a tone, noise, clicks and a chord."""
        time = np.arange(round(self.seconds * sample_rate)) / sample_rate
        noise = np.random.default_rng(0).standard_normal(len(time))
        chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6))
        clicks = (np.arange(len(time)) % (sample_rate // 4) < sample_rate // 100) * noise
        sounds = np.stack([np.sin(2 * np.pi * 440 * time), noise / 4, clicks / 2, chord / 3])
        return np.asarray(0.5 * sounds, np.float32)

    def scored(self, scorer: SoundScorer, audio: NDArray[np.float32]) -> dict[tuple[str, str], Scores]:
        """What the scorer says, by concept and measure."""
        said = scorer.score(audio)
        found = {(one.concept, one.measure): one for one in said}
        assert len(found) == len(said), "A concept and measure are said twice."
        return found

    def test_it_is_among_the_scorers_and_says_what_it_is(self) -> None:
        assert self.name in SCORERS.names(), f"{self.name} is not installed: {SCORERS.names()}"
        scorer = load_scorer(self.name)
        assert scorer.name, "A scorer has a name."
        assert scorer.version, "A scorer has a version, without which its old scores pass for new ones."
        assert scorer.sample_rate >= 1000, f"sample_rate is in Hz, not {scorer.sample_rate}"

    def test_it_has_the_same_version_whenever_it_is_loaded(self) -> None:
        assert load_scorer(self.name).version == load_scorer(self.name).version

    def test_every_sound_has_a_value_of_every_concept(self) -> None:
        scorer = load_scorer(self.name)
        audio = self.sounds(scorer.sample_rate)
        found = self.scored(scorer, audio)
        assert found, "Nothing is said."
        for key, one in found.items():
            assert len(one.values) == len(audio), f"{key}: {len(one.values)} values of {len(audio)} sounds"
            assert len(set(one.classes)) == len(one.classes), f"{key}: a class stands there twice."

    def test_probabilities_are_between_nought_and_one(self) -> None:
        scorer = load_scorer(self.name)
        for key, one in self.scored(scorer, self.sounds(scorer.sample_rate)).items():
            if one.measure == "probability":
                assert one.classes, f"{key}: probabilities are those of classes."
                known = one.values[~np.isnan(one.values)]
                assert ((known >= 0) & (known <= 1)).all(), f"{key}: {known.min()} to {known.max()}"

    def test_a_sound_is_scored_alike_alone_and_among_others(self) -> None:
        scorer = load_scorer(self.name)
        audio = self.sounds(scorer.sample_rate)
        together = self.scored(scorer, audio)
        for place in range(len(audio)):
            for key, one in self.scored(scorer, audio[place : place + 1]).items():
                np.testing.assert_allclose(
                    one.values[0],
                    together[key].values[place],
                    rtol=self.tolerance,
                    atol=self.tolerance,
                    err_msg=f"{key} of sound {place} depends on its batch",
                )

    def test_silence_stops_nothing(self) -> None:
        scorer = load_scorer(self.name)
        silent = np.zeros_like(self.sounds(scorer.sample_rate)[:1])
        assert self.scored(scorer, silent)


class SweepScorerConformance:
    """What every scorer of a sweep must do; subclass it, give `name`, and make a fixture `sounds`."""

    name: str
    """As in `--scorers`."""

    def rows(self, sounds: SweepSounds) -> list[dict[str, Any]]:
        """What the scorer has stored, in the tables that effects are computed from."""
        catalog = Catalog.of(sounds.store)
        found: list[dict[str, Any]] = []
        if catalog.has("evaluations"):
            found += catalog.rows("FROM evaluations WHERE scorer = $name", name=self.name)
        if self.name == "similarity" and catalog.has("similarities"):
            found += catalog.rows("FROM similarities")
        return found

    def test_it_is_among_the_scorers(self) -> None:
        assert self.name in SWEEP_SCORERS.names(), f"{self.name} is not known: {SWEEP_SCORERS.names()}"
        assert isinstance(load_sweep_scorer(self.name), Scorer)

    def test_every_generation_has_a_score_and_none_a_second_one(self, sounds: SweepSounds) -> None:
        scorer = load_sweep_scorer(self.name)
        first = scorer.score(sounds)
        if first.version == "":
            assert any(first.summary.values()), "It does not say why it scores nothing."
            return
        rows = self.rows(sounds)
        unsteered = {twin for _, twin in sounds.twins}
        expected = set(sounds.made) - (unsteered if self.name == "similarity" else set())
        lacking = expected - {row["item_id"] for row in rows}
        assert not lacking, f"{len(lacking)} of {len(expected)} generations have no score: {first.summary}"
        again = scorer.score(sounds)
        assert len(self.rows(sounds)) == len(rows), "A second call scores anew."
        if again.version:
            versions = {row["scorer_version"] for row in rows if row["item_id"] in sounds.made}
            assert versions == {again.version}, "The version that counts is not that of the rows."

    def test_scores_are_numbers_and_probabilities_between_nought_and_one(self, sounds: SweepSounds) -> None:
        load_sweep_scorer(self.name).score(sounds)
        for row in self.rows(sounds):
            assert row["value"] is None or np.isfinite(row["value"]), row
            if row["measure"] == "probability":
                assert row["class"], f"Probabilities are those of classes: {row}"
                assert row["value"] is None or -1e-6 <= row["value"] <= 1 + 1e-6, row

    def test_it_tells_how_far_to_believe_it(self, sounds: SweepSounds) -> None:
        for one in load_sweep_scorer(self.name).score(sounds).accuracies:
            assert one.scorer == self.name
            assert one.concept in sounds.expanded.labels
            assert one.accuracy is None or 0 <= one.accuracy <= 1
