"""A stage that was interrupted ends as if it had not been."""

import csv
from pathlib import Path

import pytest
import torch

from training.pocket.loop import Losses, Stage, step_generator


class Interrupted(Exception):
    pass


def stage_of(folder: Path, steps: int, *, stop_at: int | None = None) -> tuple[Stage, torch.nn.Linear]:
    """A regression whose batches are drawn by step."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    stage = Stage("regression", folder, steps, {"model": model}, {"optimizer": optimizer})

    def step(number: int) -> Losses:
        if number == stop_at:
            stage.save()
            raise Interrupted
        inputs = torch.from_numpy(step_generator(0, "regression", number).standard_normal((8, 3), "float32"))
        loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": float(loss.detach())}

    if not stage.resume():
        stage.run(step)
    return stage, model


def test_going_on_gives_what_an_uninterrupted_training_gives(tmp_path: Path) -> None:
    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
    _, whole = stage_of(tmp_path / "whole", 60)
    with pytest.raises(Interrupted):
        stage_of(tmp_path / "halves", 60, stop_at=25)
    stage, halves = stage_of(tmp_path / "halves", 60)
    assert stage.done == 60
    torch.testing.assert_close(halves.weight, whole.weight, rtol=0, atol=0)


def test_a_finished_stage_does_nothing(tmp_path: Path) -> None:
    stage_of(tmp_path, 5)
    before = (tmp_path / "regression.pt").stat().st_mtime_ns
    _, model = stage_of(tmp_path, 5, stop_at=0)
    assert (tmp_path / "regression.pt").stat().st_mtime_ns == before
    assert model.weight.shape == (1, 3)


def test_losses_are_logged_with_their_step(tmp_path: Path) -> None:
    stage_of(tmp_path, 7)
    with (tmp_path / "regression.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["step"] == "7"
    assert 0 < float(rows[-1]["loss"]) < 10


def test_rates_follow_a_cosine_from_what_the_optimizers_were_built_with(tmp_path: Path) -> None:
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]

    def stage(steps: int, rates: tuple[float, float]) -> tuple[Stage, list[tuple[float, ...]]]:
        groups = [{"params": [weight], "lr": rate} for weight, rate in zip(weights, rates, strict=True)]
        optimizer, seen = torch.optim.SGD(groups), []
        made = Stage("rates", tmp_path, steps, {}, {"optimizer": optimizer}, final_share=0.1)
        made.resume()

        def step(_number: int) -> Losses:
            seen.append(tuple(group["lr"] for group in optimizer.param_groups))
            return {"loss": 0.0}

        made.run(step)
        return made, seen

    _, seen = stage(1_000, (1.0, 0.01))
    assert seen[0] == pytest.approx((1 / 50, 0.01 / 50))
    assert seen[500] == pytest.approx((0.55, 0.0055))
    assert seen[-1] == pytest.approx((0.1, 0.001), rel=1e-3)
    _, resumed = stage(2_000, (2.0, 0.01))
    assert resumed[0] == pytest.approx((1.1, 0.0055))
