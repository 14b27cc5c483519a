"""Training both scorers runs from clips to files, goes on where it stopped, and shares no clip."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.pocket.judge import load_judge
from pipelines.scorers.clap import load_clap
from training.pocket import scorer_stage
from training.pocket.clap_stage import ClapSettings, contrastive_loss
from training.pocket.judge_stage import JudgeSettings
from training.pocket.labelled_clips import labelled_clips, specimens
from training.pocket.scorer_stage import ScorerSettings, clap_stage, judge_stage, measure_scorers


class QuietCodec:
    """Gives back every clip at half its level: (codes, None), then audio."""

    def encode(self, audio: torch.Tensor) -> tuple[torch.Tensor, None]:
        return audio / 2, None

    def decode(self, codes: torch.Tensor, scale: Any) -> torch.Tensor:
        assert scale is None
        return codes[..., :-7]


def _settings(steps: int) -> ScorerSettings:
    return ScorerSettings(
        clap_clips=8,
        judge_clips=8,
        reconstructed_clips=4,
        validation_clips=4,
        test_clips=4,
        clap=ClapSettings(steps=steps, batch=4),
        judge=JudgeSettings(steps=steps, batch=4),
    )


@pytest.mark.slow
def test_both_are_trained_exported_and_measured_and_a_second_call_trains_no_more(tmp_path: Path) -> None:
    clap, judge = tmp_path / "clap", tmp_path / "judge.safetensors"
    for _ in range(2):
        clap_stage(tmp_path, QuietCodec(), clap, _settings(2))
        judge_stage(tmp_path, QuietCodec(), judge, _settings(2))
    measured = measure_scorers(tmp_path, QuietCodec(), clap, judge, clips=4)
    assert set(measured) == {"clap", "judge"}
    assert set(measured["judge"]["reconstructed"]) == {
        "clips",
        "style",
        "instrument",
        "drums",
        "mode",
        "tempo",
    }
    assert load_clap(str(clap)).info.sample_rate == 16_000
    assert load_judge(judge).classes["drums"] == ("no", "yes")
    assert torch.load(tmp_path / "clap.pt", weights_only=True)["step"] == 2
    assert (
        len((tmp_path / "clap.csv").read_text().splitlines()) == 2
    )  # a heading, and the first call's last step


def test_reconstructions_are_the_codecs_and_as_long_as_the_clips(tmp_path: Path) -> None:
    heard = scorer_stage.heard(tmp_path, QuietCodec(), 5, 6, reconstructed=5)
    (clean, clips), (coded, some) = heard.versions
    assert (clips, some) == (6, 5)
    original, made = clean(slice(0, 5)), coded(slice(0, 5))
    assert original.shape == made.shape == (5, 64_000)
    np.testing.assert_allclose(made[:, :-7], original[:, :-7] / 2, atol=1e-4)
    assert not made[:, -7:].any()


def test_no_two_uses_share_a_song() -> None:
    names = [name for name in vars(scorer_stage) if name.endswith("_SEED")]
    assert len(names) == 4
    groups = [{each.group for each in specimens(getattr(scorer_stage, name), 50)} for name in names]
    assert len(set.union(*groups)) == sum(map(len, groups))


def test_a_clip_is_the_same_in_a_larger_set(tmp_path: Path) -> None:
    small, large = (labelled_clips(tmp_path, seed=9, clips=clips) for clips in (4, 6))
    np.testing.assert_array_equal(small.audio, large.audio[:4])
    np.testing.assert_array_equal(small.codes["style"], large.codes["style"][:4])


def test_the_contrastive_loss_is_least_where_all_that_is_true_is_equally_near() -> None:
    from training.pocket.clap_captions import Caption

    facts = [{"style": 0}, {"style": 0}, {"style": 1}]
    captions = [Caption("", each) for each in facts]
    near = torch.tensor([[9.0, 9.0, 0.0], [9.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    uneven = torch.tensor([[18.0, 0.0, 0.0], [0.0, 18.0, 0.0], [0.0, 0.0, 9.0]])
    expected = (4 * np.log(2) / 3 + 0) / 2  # two of three rows are split between two, in both directions
    assert float(contrastive_loss(near, captions, facts)) == pytest.approx(expected, abs=1e-3)
    assert float(contrastive_loss(uneven, captions, facts)) > 2
