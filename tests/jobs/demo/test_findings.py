"""The demo's last words: taken from results, and undecided where intervals leave it open."""

from typing import Any

from jobs.demo.findings import of_curve, of_models
from jobs.report.words import of_transfer


def layer(number: int, score: float, *, width: float = 0.02, **more: Any) -> dict[str, Any]:
    return {
        "concept": "style", "metric": "accuracy", "layer": number, "score": score, "low": score - width,
        "high": score + width, "handcrafted": 0.88,
    } | more  # fmt: skip


PAIR = {
    "source": "electronic", "target": "rock", "layers": [5, 6, 7], "alpha": 0.15, "scorer": "clap",
    "schedule": "constant",
    "transfer": 0.52, "low": 0.3, "high": 0.74, "random": 0.05, "prompt": 0.9, "over_random_low": 0.2,
    "kad_clips": 14.0, "kad_clips_unsteered": 11.0, "kad_clips_random": 13.0, "kad_clips_prompt": 8.0,
    "variation": 9.0, "variation_unsteered": 10.0, "drone": False,
}  # fmt: skip


def test_a_curve_that_rises_is_said_to_rise() -> None:
    said = of_curve([layer(0, 0.86), layer(5, 0.99), layer(7, 0.97)])
    assert "style: accuracy 0.86 (0.84 to 0.88) at layer 0 → 0.99 (0.97 to 1.01) at layer 5." in said
    assert "It rises over the layers." in said
    assert "0.88, less than the best layer" in said


def test_a_curve_whose_intervals_meet_is_undecided() -> None:
    assert "undecided" in of_curve([layer(0, 0.97), layer(5, 0.99)])
    assert "no layer is surely better" in of_curve([layer(0, 0.88), layer(5, 0.89)])
    assert "more than any layer" in of_curve([layer(0, 0.4), layer(5, 0.5)])


def test_what_steering_moved_stands_beside_its_controls_and_its_damage() -> None:
    said = of_transfer([PAIR])
    assert "electronic → rock at layers 5–7, α 0.15" in said
    assert "0.52 (0.30 to 0.74), with random directions 0.05, asking in words 0.90: beyond chance" in said
    assert "distance to recordings 14.0 (unsteered 11.0, random 13.0, in words 8.0)" in said
    assert "they still move" in said
    assert "ndecided" not in said


def test_a_transfer_that_reaches_chance_is_undecided_and_a_drone_is_called_one() -> None:
    assert "undecided" in of_transfer([PAIR | {"over_random_low": -0.01}])
    assert "undecided" in of_transfer([PAIR | {"low": -0.2}])
    assert "a drone" in of_transfer([PAIR | {"drone": True}])
    assert "Damage was not measured" in of_transfer([PAIR | {"kad_clips": None, "variation": None}])


def test_what_every_scorer_says_is_told_with_its_own_verdict() -> None:
    said = of_transfer([PAIR | {"low": -0.2}, PAIR | {"scorer": "judge", "schedule": "window:0.5-"}])
    assert (
        said.index("to clap") < said.index("undecided") < said.index("to judge") < said.index("beyond chance")
    )


def test_the_best_layers_of_two_models_are_compared_by_their_intervals() -> None:
    own = {"concept": "style", "model": "pocket", "site": "resid", "layer": 5, "score": 0.9}
    other = {"concept": "style", "model": "pocket-clap", "site": "resid", "layer": 3, "score": 0.95}
    said = of_models([{**own, "low": 0.85, "high": 0.93}, {**other, "low": 0.94, "high": 0.97}])
    assert said == (
        "style in the best layer of each model: pocket 0.90 (0.85 to 0.93) at resid 5 and pocket-clap 0.95 "
        "(0.94 to 0.97) at resid 3: pocket-clap knows more."
    )
    assert "undecided" in of_models(
        [{**own, "low": 0.85, "high": 0.95}, {**other, "low": 0.94, "high": 0.97}]
    )
