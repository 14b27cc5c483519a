"""Automatic strengths and audio prompts in a grid: the very generations that `undertone generate` makes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.evaluate.items import generations_with
from jobs.generate.generating import run_generation
from jobs.generate.options import GenerateOptions
from jobs.sweep.options import SweepOptions
from jobs.sweep.scoring import read_sound
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound

pytestmark = pytest.mark.slow

SWEEP = """
question = "Is it the recording?"
seconds = 0.5
audio_seconds = 0.25
random_states = [0, 1]
cap_auto = {cap}
[[concepts]]
name = "label"
pairs = ["{pair}"]
texts = ["{text}"]
{audio}
[grid]
layers = [1]
alphas = {alphas}
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As a sweep's workers have: automatic strengths, and so ids, follow from sums in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(store: str, sounds: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run_it(**values: Any) -> dict[str, Any]:
        defaults = {
            "cap": "false",
            "pair": "hum:hiss",
            "text": "{class}",
            "audio": "",
            "alphas": '["auto", 0.5]',
        }
        path = tmp_path / "mine.toml"
        path.write_text(SWEEP.format(**defaults | values))
        return run_sweep(
            SweepOptions(
                store, str(path), engine="inline", scorers="descriptors", roots=(f"sounds={sounds}",)
            )
        )

    return run_it


def ask(store: str, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(open_store(store)), query).to_pylist()
    return rows


def generated(store: str, tmp_path: Path, **options: Any) -> str:
    """Id of what `undertone generate` makes with the direction of the sweep."""
    (vector,) = ask(store, "SELECT vector_id FROM vectors WHERE method = 'diffmean' AND positive = 'hiss'")
    made = run_generation(
        GenerateOptions(
            store=store, output=tmp_path / "a.wav", directions=(vector["vector_id"],), seed=1, **options
        )
    )
    return str(made["generation"])


@pytest.mark.parametrize("cap", [False, True])
def test_automatic_strengths_are_those_of_generate_and_stand_beside_the_grid(
    run: Callable[..., dict[str, Any]], store: str, tmp_path: Path, cap: bool
) -> None:
    summary = run(cap=str(cap).lower())
    assert summary["complete"]
    assert summary["generations"] == 2 * (2 + 2 * 2)
    found = ask(
        store,
        "SELECT generation_id, role, random_state, alpha, automatic, setting_id FROM sweep_generations "
        "WHERE automatic ORDER BY role, random_state",
    )
    assert [row["role"] for row in found] == ["random", "random", "steered", "steered"]
    strengths = [row["alpha"] for row in found]
    assert strengths[:2] == strengths[2:]
    assert all(0 <= strength <= 2 for strength in strengths)
    target = {"target_prompt": "hiss"} if cap else {}
    alone = generated(store, tmp_path, prompt="hum", seconds=0.5, alphas=("auto",), **target)
    assert alone == found[3]["generation_id"]
    effects = ask(
        store, "SELECT DISTINCT setting_id, alpha, mean_alpha FROM effects ORDER BY alpha NULLS LAST"
    )
    assert effects[0] == {"setting_id": effects[0]["setting_id"], "alpha": 0.5, "mean_alpha": 0.5}
    assert effects[1]["setting_id"] == found[0]["setting_id"]
    assert effects[1]["alpha"] is None
    assert effects[1]["mean_alpha"] == pytest.approx(np.mean(strengths[2:]))
    stored = ask(store, "SELECT alphas, cap_text FROM strengths")
    assert sorted(row["alphas"][0] for row in stored) == pytest.approx(sorted(strengths[2:]))
    assert {row["cap_text"] for row in stored} == {"hiss" if cap else None}
    assert run(cap=str(cap).lower())["generated"] == 0
    assert len(ask(store, "FROM strengths")) == 2


def test_a_monitor_in_a_grid_is_that_of_generate_and_stands_beside_the_setting_without(
    run: Callable[..., dict[str, Any]], store: str, tmp_path: Path
) -> None:
    assert run(alphas='[0.5]\nmonitors = ["none", "0.6"]')["complete"]
    made = ask(
        store,
        "SELECT schedule, generation_id FROM sweep_generations "
        "WHERE role = 'steered' AND random_state = 1 ORDER BY schedule",
    )
    options: dict[str, Any] = {"prompt": "hum", "seconds": 0.5, "alphas": ("0.5",)}
    assert made == [
        {"schedule": "constant", "generation_id": generated(store, tmp_path, **options)},
        {
            "schedule": "constant monitor:0.6",
            "generation_id": generated(store, tmp_path, **options, monitor="0.6"),
        },
    ]
    told = ask(store, "SELECT DISTINCT schedule FROM effects ORDER BY ALL")
    assert [row["schedule"] for row in told] == ["constant", "constant monitor:0.6"]


def test_recordings_are_continued_and_only_what_follows_them_is_scored(
    run: Callable[..., dict[str, Any]], store: str, sounds: Path, tmp_path: Path
) -> None:
    path = sounds / "hum" / "0.wav"
    (clip,) = ask(store, "SELECT clip_id FROM clips WHERE uri = 'hum/1.wav'")
    audio = f'audio = {{ hum = ["{path}", "clip:{clip["clip_id"]}"] }}'
    summary = run(audio=audio, text="", alphas="[0.5]")
    assert summary["complete"]
    assert summary["generations"] == 2 * 2 * (2 + 2)
    rows = ask(
        store,
        "SELECT generation_id, role, text, audio_prompt, prompt_clip_id, seconds, prompt_seconds, "
        "audio_seconds, question "
        "FROM sweep_generations s JOIN generations g USING (generation_id, text, random_state)",
    )
    assert {(row["seconds"], row["prompt_seconds"], row["audio_seconds"]) for row in rows} == {
        (0.75, 0.25, 0.25)
    }
    assert {row["question"] for row in rows} == {"Is it the recording?"}
    assert {row["prompt_clip_id"] for row in rows} == {None, clip["clip_id"]}
    assert {row["text"] for row in rows if row["role"] != "prompt"} == {""}
    assert {row["text"] for row in rows if row["role"] == "prompt"} == {"hiss music"}
    alone = generated(store, tmp_path, seconds=0.75, audio_prompt=path, audio_seconds=0.25, alphas=("0.5",))
    (same,) = [row for row in rows if row["generation_id"] == alone]
    assert (same["role"], same["audio_prompt"]) == ("steered", str(path))
    opened = open_store(store)
    assert read_sound(opened, alone, sample_rate=16_000).shape == (8000,)
    (item,) = generations_with(opened, [alone]).members
    assert (item.start_seconds, item.duration_seconds) == (0.25, 0.5)
    halves = ask(store, "SELECT split, count(DISTINCT audio_prompt) AS n FROM sweep_generations GROUP BY ALL")
    assert sorted((row["split"], row["n"]) for row in halves) == [("evaluation", 1), ("selection", 1)]


def test_what_cannot_be_automatic_or_continued_is_refused(run: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(NotFound, match="no clip whose id begins with 'ffffffff'"):
        run(audio='audio = { hum = ["clip:ffffffff"] }')
    with pytest.raises(InvalidInput, match="no id of a clip"):
        run(audio="""audio = { hum = ["clip:'; DROP"] }""")
