"""Clips and generations are heard once, scored for any prompts, and what was heard can be asked in SQL."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from scipy.special import softmax

from jobs.cli.main import main, undertone
from jobs.evaluate.items import clips_of
from pipelines.audio.files import open_root
from pipelines.audio.recordings import Recordings
from pipelines.scorers.clap import load_clap
from store.errors import InvalidInput, NotFound
from store.objects.ledger import commit, never, withdraw
from store.opening import open_store
from store.records import PlannedClip

Evaluate = Callable[..., dict[str, Any]]
Ask = Callable[[str | Path, str], Sequence[dict[str, Any]]]
STYLES = ("style=rock,jazz,classical,electronic",)


@pytest.fixture
def songs(rendered: Path, tmp_path: Path) -> Path:
    """A store of the test's own with the dataset "songs"."""
    return Path(shutil.copytree(rendered, tmp_path / "songs.store"))


def _audio(store: Path, sample_rate: int) -> dict[str, np.ndarray]:
    """The clips of "songs" by id, decoded here."""
    dataset = open_store(store).dataset("songs")
    recordings = Recordings(open_root(f"{store}/{dataset.info['root']['path']}"), sample_rate=sample_rate)
    return {
        clip.clip_id: recordings.decode(
            PlannedClip(clip.clip_id, clip.uri, clip.start_seconds, clip.duration_seconds)
        )
        for clip in dataset.clips()
    }


def test_scores_are_the_softmax_of_the_models_own_embeddings(
    songs: Path, evaluate: Evaluate, ask: Ask
) -> None:
    summary = evaluate(songs, dataset="songs", prompts=STYLES)
    assert summary["embeddings"] | {"seconds": 0} == {
        "stored_before": 0,
        "scored": 24,
        "failed": 0,
        "seconds": 0,
    }
    clap = load_clap("pocket")
    names = ("rock", "jazz", "classical", "electronic")
    texts = clap.embed_text([f"This is a sound of {name}." for name in names])
    stored = ask(songs, "SELECT item_id, class, text, measure, value FROM evaluations")
    assert len(stored) == 24 * 4 * 2
    values = {(row["item_id"], row["class"], row["measure"]): row["value"] for row in stored}
    for clip_id, samples in _audio(songs, clap.info.sample_rate).items():
        cosines = (clap.embed_audio(samples[None]).astype(float) @ texts.T.astype(float))[0]
        expected = dict(zip(names, softmax(clap.info.scale * cosines), strict=True))
        for name, cosine in zip(names, cosines, strict=True):
            assert values[clip_id, name, "cosine"] == pytest.approx(cosine, abs=1e-5)
            assert values[clip_id, name, "probability"] == pytest.approx(expected[name], abs=1e-3)


def test_new_prompts_need_no_audio(songs: Path, evaluate: Evaluate, ask: Ask) -> None:
    evaluate(songs, dataset="songs", prompts=STYLES)
    shutil.rmtree(songs / "datasets" / "songs" / "audio")
    summary = evaluate(
        songs, dataset="songs", prompts=("tempo=slow:slow music,fast:fast music",), template="{}"
    )
    assert summary["embeddings"]["scored"] == 0
    texts = {row["text"] for row in ask(songs, "SELECT text FROM evaluations WHERE concept = 'tempo'")}
    assert texts == {"slow music", "fast music"}


def test_words_that_a_clap_does_not_know_are_told(songs: Path, evaluate: Evaluate) -> None:
    known = evaluate(songs, dataset="songs", prompts=("style=rock,jazz",))
    assert "note" not in known
    unknown = evaluate(songs, dataset="songs", prompts=("x=zzzz,qqqq,rock music",))
    assert unknown["note"].startswith(
        "pocket cannot tell apart zzzz, qqqq of x: it does not know their words"
    )


def test_the_same_evaluation_twice_writes_nothing_new(songs: Path, evaluate: Evaluate) -> None:
    evaluate(songs, dataset="songs", prompts=STYLES, judge=True)
    before = {path: path.stat().st_mtime_ns for path in (songs / "results").rglob("*.parquet")}
    assert len(before) == 3  # embeddings, scores of the prompts, verdicts of the judge
    summary = evaluate(songs, dataset="songs", prompts=STYLES, judge=True)
    assert (summary["embeddings"]["scored"], summary["judge"]["scored"]) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in (songs / "results").rglob("*.parquet")} == before


def test_an_evaluation_that_was_cut_short_hears_only_what_is_missing(
    songs: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.evaluate import scoring

    monkeypatch.setattr(scoring, "UNIT_ITEMS", 8)
    evaluate(songs, dataset="songs", prompts=STYLES)
    parts = sorted((songs / "results" / "embeddings").glob("*.parquet"))
    assert len(parts) == 3
    lost = f"results/embeddings/{parts[1].name}"
    withdraw(open_store(songs).objects, lost, [lost])
    assert evaluate(songs, dataset="songs", prompts=STYLES)["embeddings"]["scored"] == 8
    assert sorted((songs / "results" / "embeddings").glob("*.parquet")) == parts


def test_a_clip_whose_audio_was_replaced_is_heard_anew(songs: Path, evaluate: Evaluate) -> None:
    evaluate(songs, dataset="songs", prompts=STYLES)
    arguments = ["dataset", "synth", str(songs), "songs", "--concepts", "styles", "--clips", "24"]
    result = CliRunner().invoke(undertone, [*arguments, "--seed", "78", "--replace"])
    assert result.exit_code == 0, result.output
    assert evaluate(songs, dataset="songs", prompts=STYLES)["embeddings"]["scored"] == 24


def test_what_cannot_be_decoded_is_reported_and_the_rest_is_scored(
    store: str, audio: Path, evaluate: Evaluate, ask: Ask
) -> None:
    (audio / "low" / "02.wav").unlink()
    summary = evaluate(store, dataset="tones", prompts=STYLES)
    assert (summary["embeddings"]["scored"], summary["embeddings"]["failed"]) == (10, 1)
    assert "02.wav" in summary["embeddings"]["first_failure"]
    assert ask(store, "SELECT count(DISTINCT item_id) AS n FROM evaluations")[0]["n"] == 10
    arguments = ["evaluate", store, "--dataset", "tones", "--prompts", *STYLES, "--engine", "inline"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1


def test_accuracy_is_told_where_the_concept_is_a_label(songs: Path, evaluate: Evaluate, ask: Ask) -> None:
    summary = evaluate(songs, dataset="songs", prompts=STYLES)
    query = (
        "SELECT count(*) FILTER (best.class = clips.style) / count(*) AS accuracy FROM clips JOIN "
        "(SELECT item_id, arg_max(class, value) AS class FROM evaluations WHERE measure = 'probability' "
        "GROUP BY ALL) best ON best.item_id = clips.clip_id"
    )
    assert summary["accuracy"]["style"] == pytest.approx(ask(songs, query)[0]["accuracy"], abs=1e-3)


def _write_generation(store: Path, name: str, samples: np.ndarray, rate: int) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, samples, rate, format="FLAC")
    objects = open_store(store).objects
    commit(objects, f"audio/{name}.flac", sound.getvalue(), kind="sound", sound=never)


def test_generations_are_heard_whole_whatever_their_length(songs: Path, evaluate: Evaluate, ask: Ask) -> None:
    clips = list(_audio(songs, 16_000).values())
    _write_generation(songs, "aa", clips[0], 16_000)
    _write_generation(songs, "bb", np.concatenate(clips[:2])[:100_000], 16_000)
    query = "SELECT unnest(['aa', 'bb']) AS generation_id"
    summary = evaluate(songs, generations=query, prompts=STYLES, judge=True)
    assert (summary["embeddings"]["scored"], summary["judge"]["scored"]) == (2, 2)
    rows = ask(
        songs, "SELECT item_id, item_kind, dataset, sha256, embedding FROM embeddings ORDER BY item_id"
    )
    assert [(row["item_id"], row["item_kind"], row["dataset"], row["sha256"]) for row in rows] == [
        ("aa", "generation", None, None),
        ("bb", "generation", None, None),
    ]
    pcm = np.round(clips[0] * 32767) / 32767
    expected = load_clap("pocket").embed_audio(pcm[None].astype(np.float32))[0]
    assert float(np.dot(rows[0]["embedding"], expected)) > 0.999


def test_generations_that_are_not_there_are_named(songs: Path, evaluate: Evaluate) -> None:
    with pytest.raises(NotFound, match="1 of 1 generations have no sound in the store, first 'ff'"):
        evaluate(songs, generations="SELECT 'ff' AS generation_id", prompts=STYLES)
    with pytest.raises(InvalidInput, match="gives clip_id; it must give a column generation_id"):
        evaluate(songs, generations="SELECT clip_id FROM clips", prompts=STYLES)
    with pytest.raises(InvalidInput, match="its result is empty"):
        evaluate(songs, generations="SELECT 'x' AS generation_id WHERE false", prompts=STYLES)


@pytest.mark.parametrize(
    "options",
    [
        {"dataset": "songs"},
        {"prompts": STYLES},
        {"dataset": "songs", "generations": "SELECT 1", "prompts": STYLES},
        {"dataset": "songs", "prompts": STYLES, "workers": 0},
        {"dataset": "nothing", "prompts": STYLES},
        {"dataset": "songs", "prompts": ("style=rock",)},
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(
    songs: Path, evaluate: Evaluate, options: dict[str, Any]
) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        evaluate(songs, **options)
    assert not (songs / "results").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_ray_workers_store_what_inline_does(
    songs: Path, tmp_path: Path, evaluate: Evaluate, ask: Ask
) -> None:
    other = Path(shutil.copytree(songs, tmp_path / "other.store"))
    evaluate(songs, dataset="songs", prompts=STYLES)
    arguments = ["evaluate", str(other), "--dataset", "songs", "--prompts", *STYLES, "--workers", "1"]
    result = CliRunner().invoke(undertone, [*arguments, "--format", "json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["embeddings"]["scored"] == 24
    query = "SELECT item_id, embedding FROM embeddings ORDER BY item_id"
    here, there = ask(songs, query), ask(other, query)
    assert [row["item_id"] for row in here] == [row["item_id"] for row in there]
    np.testing.assert_allclose(
        [row["embedding"] for row in here], [row["embedding"] for row in there], atol=1e-5
    )


def test_items_of_a_dataset_are_its_clips(songs: Path) -> None:
    store = open_store(songs)
    items = clips_of(store, "songs")
    assert items.ids == [clip.clip_id for clip in store.dataset("songs").clips()]
    assert {item.kind for item in items.members} == {"clip"}
