"""`undertone generate` from the command line to files, rows and runs."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result

from jobs.cli.main import undertone
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.generation.generate import GenerationRequest
from pipelines.generation.generate import generate as generate_audio
from pipelines.models.musicgen import load_musicgen
from pipelines.steering.edits import Edit, Steering
from pipelines.steering.steer import steer
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.ledger import withdraw
from store.opening import Store
from store.results.fits import VECTORS, VectorRow
from store.results.parts import write_results

SECONDS = 1.5
TEXT = "slow jazz"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> Any:
    return load_musicgen("pocket-random")


@pytest.fixture
def load_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands get the model that is loaded already."""
    monkeypatch.setattr("pipelines.models.named.load_named_model", lambda *_, **__: model)


@dataclass(frozen=True)
class World:
    """A store with directions at layers 2 and 3, and a way to call the command."""

    store: Store
    folder: Path
    vectors: dict[str, VectorRow]

    def call(self, *arguments: str, output: str = "out.flac") -> Result:
        fixed = [
            self.store.url,
            "--model",
            "pocket-random",
            "--seconds",
            str(SECONDS),
            "-o",
            str(self.folder / output),
            "--format",
            "json",
        ]
        return CliRunner().invoke(undertone, ["generate", *fixed, *arguments])

    def made(self, *arguments: str, output: str = "out.flac") -> dict[str, Any]:
        result = self.call(*arguments, output=output)
        assert result.exit_code == 0, (result.output, result.exception)
        return dict(json.loads(result.stdout))

    def store_file(self, generation_id: str) -> Path:
        return self.folder / "music.store" / "audio" / f"{generation_id}.flac"

    def query(self, sql: str) -> list[dict[str, Any]]:
        return list(run_query(refresh_catalog(self.store), sql).to_pylist())


@pytest.fixture
def world(tmp_path: Path, model: Any, load_once: None) -> World:
    store = open_store(str(tmp_path / "music.store"), create=True)
    vectors = {}
    for layer, name in ((2, "aaa2"), (3, "bbb3")):
        direction = np.random.default_rng(layer).standard_normal(model.info.width)
        vectors[name] = _stored(model, name, layer, direction / np.linalg.norm(direction))
    write_results(store, "vectors", {"test": 1}, VECTORS.of(vectors.values()))
    return World(store, tmp_path, vectors)


def _stored(model: Any, name: str, layer: int, vector: np.ndarray) -> VectorRow:
    known: dict[str, Any] = {
        "vector_id": name, "run_id": "r", "model": "pocket-random", "site": "resid", "reduction": "mean",
        "model_fingerprint": model.info.fingerprint, "layer": layer, "concept": "style", "positive": "jazz",
        "negative": "rock", "method": "diffmean", "vector": vector.astype(np.float32), "width": len(vector),
        "norm": 1.0, "mean_positive": 4.0, "mean_negative": -4.0, "deviation": 2.0, "scaling": "norm",
        "clips": 9, "positives": 5, "negatives": 4, "groups": 9, "folds": 5, "labels_query": "SELECT 1",
        "labels_hash": "l", "created_at": datetime(2026, 1, 1),  # noqa: DTZ001
    }  # fmt: skip
    return VectorRow(**known)


def test_the_file_is_the_models_own_sound_with_its_provenance_in_the_tags(world: World, model: Any) -> None:
    made = world.made("--prompt", TEXT, "--seed", "7", "--direction", "aaa2", "--alpha", "0.6")
    edit = Edit("resid", 2, world.vectors["aaa2"].vector, 0.6)
    request = GenerationRequest(SECONDS, TEXT, 7, steering=Steering((edit,)))
    expected = generate_audio(model, [request])[0].audio
    samples, rate = soundfile.read(world.folder / "out.flac", dtype="float32")
    assert rate == model.info.sample_rate
    assert np.abs(samples - np.clip(expected, -1, 1)).max() < 2**-14
    tags = json.loads(mutagen.File(world.folder / "out.flac")["comment"][0])
    assert tags["generation_id"] == made["generation"]
    assert tags["text"] == TEXT
    assert tags["edits"][0] | {"monitor": None} == tags["edits"][0]
    assert (tags["edits"][0]["vector_id"], tags["edits"][0]["alpha"]) == ("aaa2", 0.6)


def test_a_wav_has_the_same_sound_and_the_same_tags(world: World) -> None:
    world.made("--prompt", TEXT, output="a.wav")
    world.made("--prompt", TEXT, output="a.flac")
    sounds = [soundfile.read(world.folder / name, dtype="int16")[0] for name in ("a.wav", "a.flac")]
    assert np.array_equal(*sounds)
    comments = [soundfile.SoundFile(world.folder / name).comment for name in ("a.wav", "a.flac")]
    assert comments[0] == comments[1]


def test_the_store_has_a_row_with_all_that_decides_the_sound_and_the_sound(world: World) -> None:
    made = world.made("--prompt", TEXT, "--direction", "aaa2", "--schedule", "every:2", "--rows", "both")
    (row,) = world.query("SELECT * FROM generations")
    assert row["generation_id"] == made["generation"]
    assert row["twin_id"] == made["twin"]
    assert (row["layers"], row["vector_ids"], row["alphas"]) == ([2], ["aaa2"], [0.5])
    assert (row["site"], row["kind"], row["scaling"], row["schedule"]) == (
        "resid",
        "interpolate",
        "norm",
        "every:2",
    )
    assert row["rows"] == "both"
    assert world.store.objects.get(row["audio"]) == (world.folder / "out.flac").read_bytes()


def test_every_column_of_generations_explains_itself(world: World) -> None:
    world.made("--prompt", TEXT)
    result = CliRunner().invoke(undertone, ["sql", world.store.url, "--format", "table"])
    assert result.exit_code == 0
    assert "key of the sampling noise" in result.output


def test_the_same_options_give_the_same_row_once(world: World) -> None:
    first = world.made("--prompt", TEXT)
    again = world.made("--prompt", TEXT)
    assert first["generation"] == again["generation"]
    assert world.query("SELECT count(*) AS n FROM generations") == [{"n": 1}]


def test_a_sound_that_is_stored_is_copied_and_no_model_is_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = ("--direction", "aaa2", "--alpha", "0.5", "--prompt", TEXT)
    first = world.made(*edit)
    assert first.pop("note") == "the twin is not made yet; the same without --direction makes it"
    monkeypatch.setattr("pipelines.models.named.load_named_model", _must_not_load)
    again = world.made(*edit, output="again.flac")
    other = world.made(*edit, output="again.wav")
    assert again.pop("note") == other["note"] == "the store had this sound already; nothing was computed"
    assert {**again, "output": first["output"]} == first
    assert (world.folder / "again.flac").read_bytes() == (world.folder / "out.flac").read_bytes()
    for one, copy in zip(
        soundfile.read(world.folder / "out.flac"), soundfile.read(world.folder / "again.wav"), strict=True
    ):
        np.testing.assert_array_equal(one, copy)


def test_a_sound_without_a_row_is_made_again_and_gets_one(world: World) -> None:
    first = world.made("--prompt", TEXT)
    for key, _ in list(world.store.objects.list("results/generations")):
        withdraw(world.store.objects, key, [key])
    again = world.made("--prompt", TEXT)
    assert "note" not in again
    rows = run_query(refresh_catalog(world.store), "SELECT generation_id FROM generations")
    assert rows["generation_id"].to_pylist() == [first["generation"]]


def test_a_broken_audio_prompt_is_refused_before_a_model_is_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.models.named.load_named_model", _must_not_load)
    (world.folder / "broken.wav").write_text("no sound")
    result = world.call("--audio-prompt", str(world.folder / "broken.wav"))
    assert result.exit_code != 0
    assert "broken.wav" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "nan"], "nan is not in the range 0<x<=3600"),
        (["--seconds", "0"], "0.0 is not in the range 0<x<=3600"),
        (["--seconds", "1e6"], "1000000.0 is not in the range 0<x<=3600"),
        (["--temperature", "-1"], "-1.0 is not in the range x>=0"),
        (["--top-p", "2"], "2.0 is not in the range 0<=x<=1"),
        (["--alpha", "0.5"], "--alpha has no effect without --direction"),
        (["--audio-start", "2"], "--audio-start has no effect without --audio-prompt"),
        (["--direction", "aaa2", "--target-prompt", "jazz"], "no effect without --alpha auto"),
        (["--direction", "aaa2", "--alpha", "auto", "--kind", "ablate"], "and not for ablate"),
        (["--direction", "aaa2", "--direction", "aaa2", "--alpha", "auto"], "one direction per layer"),
        (["--capture", "bogus"], "bogus"),
        (["--audio-prompt", "missing.wav"], "There is no file missing.wav"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr("pipelines.models.named.load_named_model", _must_not_load)
    result = world.call(*arguments)
    assert result.exit_code != 0
    assert message in str(result.exception) + result.output
    assert not (world.folder / "out.flac").exists()


def test_a_short_recording_is_a_short_audio_prompt_and_a_length_that_it_lacks_is_refused(
    world: World,
) -> None:
    soundfile.write(world.folder / "short.wav", np.zeros(4000), 8000)
    prompt = ("--audio-prompt", str(world.folder / "short.wav"))
    made = world.made(*prompt)
    rows = run_query(refresh_catalog(world.store), "SELECT generation_id, prompt_seconds FROM generations")
    assert rows.to_pylist() == [{"generation_id": made["generation"], "prompt_seconds": 0.5}]
    refused = world.call(*prompt, "--audio-seconds", "1")
    assert "short.wav is 0.50 s long: no audio prompt of 1 s begins at 0 s" in str(refused.exception)


def test_an_ablation_removes_all_unless_told_otherwise(world: World) -> None:
    ablation = ("--direction", "aaa2", "--kind", "ablate")
    whole = world.made(*ablation, "--alpha", "1")
    assert world.made(*ablation)["generation"] == whole["generation"]


def test_directions_are_looked_for_in_a_store_that_is_there(world: World) -> None:
    typo, output = str(world.folder / "typo"), str(world.folder / "a.wav")
    result = CliRunner().invoke(undertone, ["generate", typo, "--direction", "a", "-o", output])
    assert "is no Undertone store" in str(result.exception)
    assert not (world.folder / "typo").exists()


def _must_not_load(*_: Any, **__: Any) -> None:
    raise AssertionError("a model was loaded")


def test_layers_name_the_directions_fitted_like_this_one(world: World) -> None:
    world.made("--direction", "aaa2", "--layers", "2-3", "--alpha", "0.3")
    (row,) = world.query("SELECT layers, vector_ids FROM generations")
    assert row == {"layers": [2, 3], "vector_ids": ["aaa2", "bbb3"]}


def test_a_layer_without_such_a_direction_is_refused_unless_foreign_is_said(world: World) -> None:
    refused = world.call("--direction", "aaa2", "--layers", "5")
    assert refused.exit_code != 0
    assert "no direction like aaa2 at resid of layer 5" in str(refused.exception)
    world.made("--direction", "aaa2", "--layers", "5", "--foreign")
    assert world.query("SELECT layers, vector_ids FROM generations") == [
        {"layers": [5], "vector_ids": ["aaa2"]}
    ]


def test_directions_are_fused_each_with_its_own_strength_and_schedule(world: World) -> None:
    world.made(
        "--direction", "aaa2", "--alpha", "0.2", "--schedule", "linear-down",
        "--direction", "bbb3", "--alpha", "0.4", "--schedule", "linear-up",
    )  # fmt: skip
    (row,) = world.query("SELECT alphas, schedule FROM generations")
    assert row == {"alphas": [0.2, 0.4], "schedule": "linear-down+linear-up"}


def test_an_audio_prompt_begins_the_result(world: World, model: Any) -> None:
    rate = model.info.sample_rate
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * rate)
    soundfile.write(world.folder / "source.wav", noise, rate)
    arguments = ("--audio-prompt", str(world.folder / "source.wav"), "--audio-seconds", "0.5")
    steered = world.made(*arguments, "--direction", "aaa2", "--alpha", "1.5")
    plain = world.made(*arguments, output="plain.flac")
    assert steered["twin"] == plain["generation"]
    rows = world.query("SELECT prompt_seconds FROM generations")
    assert rows == [{"prompt_seconds": 0.5}] * 2


def test_an_automatic_strength_brings_the_projection_to_the_class_mean(world: World, model: Any) -> None:
    made = world.made("--prompt", TEXT, "--direction", "aaa2", "--layers", "2-3", "--alpha", "auto")
    twin, steered = (
        world.query(f"SELECT * FROM generations WHERE generation_id = '{made[which]}'")[0]
        for which in ("twin", "generation")
    )
    assert not twin["steered"]
    assert steered["alphas"] == pytest.approx(made["alphas"])
    codes = generate_audio(model, [GenerationRequest(SECONDS, TEXT)])[0].codes
    edits = tuple(
        Edit("resid", layer, world.vectors[name].vector, alpha)
        for layer, name, alpha in zip((2, 3), ("aaa2", "bbb3"), made["alphas"], strict=True)
    )
    spec = CaptureSpec(("resid",), (2, 3), ("mean",))
    with steer(model, Steering(edits), frames=codes.shape[1]):
        means = forward_activations(model, codes[None], spec, [TEXT])["resid.mean"][0]
    for mean, edit in zip(means, edits, strict=True):
        assert float(mean @ torch.tensor(edit.vector)) == pytest.approx(4.0, abs=0.05)


def test_a_target_prompt_that_changes_nothing_leaves_nothing_of_an_automatic_strength(world: World) -> None:
    capped = world.made("--prompt", TEXT, "--direction", "aaa2", "--alpha", "auto", "--target-prompt", TEXT)
    assert (capped["cap"], capped["alphas"]) == (0.0, [0.0])
    assert "nothing is steered" in capped["note"]
    asked = f"SELECT steered FROM generations WHERE generation_id = '{capped['generation']}'"
    assert world.query(asked) == [{"steered": False}]
    twin, steered = (
        soundfile.read(world.store_file(capped[which]), dtype="int16")[0] for which in ("twin", "generation")
    )
    assert np.array_equal(twin, steered)


def test_a_direction_without_statistics_has_no_automatic_strength(world: World) -> None:
    bare = replace(world.vectors["aaa2"], vector_id="ccc", mean_positive=None)
    write_results(world.store, "vectors", {"test": 2}, VECTORS.of([bare]))
    refused = world.call("--direction", "ccc", "--alpha", "auto")
    assert "no held-out projections" in str(refused.exception)


def test_captured_activations_are_a_run_of_mode_generate(world: World, model: Any) -> None:
    made = world.made(
        "--prompt", TEXT, "--direction", "aaa2", "--capture", "resid,attn", "--reduce", "mean,last"
    )
    run = world.store.run(made["run"])
    assert run.document["mode"] == "generate"
    values, clip_ids = run.read_layer("resid.mean", 5)
    assert clip_ids == [made["generation"]]
    edit = Edit("resid", 2, world.vectors["aaa2"].vector, 0.5)
    request = GenerationRequest(SECONDS, TEXT, steering=Steering((edit,)))
    spec = CaptureSpec(("resid", "attn"), tuple(range(8)), ("mean", "last"))
    expected = generate_audio(model, [request], capture=spec)[0].activations
    assert np.array_equal(values[0], expected["resid.mean"][5])  # bits: a pass of the same shape, one thread
    assert world.query("SELECT dataset, clips, complete FROM runs") == [
        {"dataset": "generations", "clips": 1, "complete": True}
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--direction", "zzz"], "no direction 'zzz'"),
        (["--direction", "aaa2", "--alpha", "-0.5"], "add --away"),
        (["--direction", "aaa2", "--alpha", "-1", "--away"], "no value there"),
        (["--direction", "aaa2", "--alpha", "nan"], "not a finite number"),
        (["--direction", "aaa2", "--alpha", "much"], "is no number"),
        (["--direction", "aaa2", "--alpha", "1", "--alpha", "2"], "2 times --alpha for 1 directions"),
        (["--direction", "aaa2", "--schedule", "sometimes"], "sometimes"),
        (["--direction", "aaa2", "--layers", "all"], "not known before"),
        (["--direction", "aaa2", "--monitor", "soon"], "cannot be read"),
        (["--audio-prompt", "nothing.wav"], "nothing.wav"),
        (["--capture", "nose"], "no site"),
        (["--melody", "nothing.wav"], "nothing.wav"),
    ],
)
def test_what_is_not_possible_is_refused_and_nothing_is_written(
    world: World, arguments: list[str], message: str
) -> None:
    result = world.call(*arguments)
    assert result.exit_code != 0
    assert message in str(result.exception)
    assert not (world.folder / "out.flac").exists()


def test_an_unknown_ending_is_refused_before_anything_is_computed(world: World) -> None:
    assert "write .flac or .wav" in str(world.call(output="out.mp3").exception)


def test_a_direction_of_another_model_is_refused_unless_foreign_is_said(world: World) -> None:
    other = replace(world.vectors["aaa2"], vector_id="ddd", model_fingerprint="another")
    write_results(world.store, "vectors", {"test": 3}, VECTORS.of([other]))
    assert "found in another model" in str(world.call("--direction", "ddd").exception)
    world.made("--direction", "ddd", "--foreign")


@pytest.fixture
def with_random(world: World, model: Any) -> World:
    """The world with a random direction at the place of the first."""
    direction = np.random.default_rng(9).standard_normal(model.info.width)
    drawn = _stored(model, "rrr2", 2, direction / np.linalg.norm(direction))
    rows = [replace(drawn, method="random", random_seed=0)]
    write_results(world.store, "vectors", {"test": "random"}, VECTORS.of(rows))
    return world


def test_several_prompts_and_seeds_become_a_folder_with_one_page_that_plays_all(world: World) -> None:
    prompts, seeds = ("--prompt", TEXT, "--prompt", "rock <b>"), ("--seed", "1", "--seed", "2")
    made = world.made(*prompts, *seeds, "--seconds", "0.2", output="listen")
    assert made["sounds"] == len(made["generations"]) == 4
    page = Path(made["page"]).read_text(encoding="utf-8")
    assert page.count("<audio") == 4
    assert "rock &lt;b&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    rows = {row["generation_id"]: row for row in world.query("SELECT * FROM generations")}
    for one in made["generations"]:
        assert (rows[one["generation"]]["text"], rows[one["generation"]]["random_state"]) == (
            one["prompt"],
            one["seed"],
        )
        assert world.store_file(one["generation"]).read_bytes() == Path(one["output"]).read_bytes()
    again = world.made(*prompts, *seeds, "--seconds", "0.2", output="listen")
    assert {one["note"] for one in again["generations"]} == {
        "the store had this sound already; nothing was computed"
    }


def test_a_steered_sound_stands_beside_its_twin_and_the_same_along_a_random_direction(
    with_random: World,
) -> None:
    steered = ("--direction", "aaa2", "--alpha", "0.6", "--with-twin", "--with-random", "--seconds", "0.2")
    made = with_random.made(*steered, output="listen")
    assert Path(made["page"]).read_text(encoding="utf-8").count("<audio") == 3
    rows = {row["generation_id"]: row for row in with_random.query("SELECT * FROM generations")}
    kinds = {one["kind"]: rows[one["generation"]] for one in made["generations"]}
    assert (
        kinds["steered"]["twin_id"] == kinds["random direction"]["twin_id"] == kinds["twin"]["generation_id"]
    )
    assert (kinds["steered"]["vector_ids"], kinds["steered"]["alphas"]) == (["aaa2"], [0.6])
    assert (kinds["random direction"]["vector_ids"], kinds["random direction"]["alphas"]) == (["rrr2"], [0.6])


def test_several_sounds_need_a_folder_and_controls_a_direction(world: World) -> None:
    for arguments, output, words in (
        (("--seed", "1", "--seed", "2"), "out.flac", "leave out its ending .flac"),
        (("--seed", "1", "--seed", "2"), "music.store/listen", "lies in the store"),
        (("--with-twin",), "listen", "--with-twin has no effect without --direction"),
        (("--direction", "aaa2", "--with-random"), "listen", "--method random"),
    ):
        result = world.call(*arguments, output=output)
        assert words in str(result.exception), result.output
        assert not (world.folder / output).exists()
