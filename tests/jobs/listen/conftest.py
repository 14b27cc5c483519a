"""A store with one sweep of six settings: what it made can be heard, and CLAP has scored it."""

import io
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from jobs.listen.exporting import export_test
from jobs.listen.options import ListenOptions
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.ledger import commit, never
from store.opening import Store, open_store
from store.results.schemas import TABLES

Answer = Callable[..., dict[str, Any]]

RATE, SECONDS = 16_000, 1.0
ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
TEXTS = ("{class} music", "slow {class} music")
MADE = datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None)
SWEEP = {"sweep": "strength", "sweep_id": "5eed000000000000", "run_id": "songs", "created_at": MADE}
PAIR = {"concept": "style", "source": "rock", "target": "jazz"}


def _setting(alpha: float) -> dict[str, Any]:
    return {"setting_id": f"setting{alpha}", "alpha": alpha, "site": "resid", "layers": [3], "method": "mse"}


def _effects() -> Iterator[dict[str, Any]]:
    """More α: more transfer, less similarity."""
    for alpha in ALPHAS:
        for metric, value in (("transfer", alpha / 2), ("similarity", 1 - alpha)):
            yield SWEEP | PAIR | _setting(alpha) | {
                "split": "all", "scorer": "clap", "chosen_by": "clap", "metric": metric, "value": value,
            }  # fmt: skip


def _members() -> Iterator[dict[str, Any]]:
    for text, split in product(TEXTS, ("selection", "evaluation")):
        state = {"selection": 0, "evaluation": 1}[split]
        cell = SWEEP | PAIR | {"template": text, "random_state": state, "split": split}
        twin = f"unsteered{TEXTS.index(text)}{state}"
        yield cell | {"role": "unsteered", "generation_id": twin, "unsteered_id": twin}
        for alpha, role in product(ALPHAS, ("steered", "random")):
            made = f"{role}{alpha}{TEXTS.index(text)}{state}"
            yield cell | _setting(alpha) | {"role": role, "generation_id": made, "unsteered_id": twin}


def _write(store: Store, kind: str, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer)
    part = len(list(store.objects.versions(f"results/{kind}")))
    commit(
        store.objects, f"results/{kind}/part{part}.parquet", buffer.getvalue(), kind="results", sound=never
    )


def _sound(number: int) -> bytes:
    """A tone and a hiss, each generation at a loudness of its own, with a tag that would tell."""
    times = np.arange(int(RATE * SECONDS)) / RATE
    hiss = np.random.default_rng(number).standard_normal(len(times))
    samples = (0.02 + 0.01 * (number % 7)) * (np.sin(2 * np.pi * (200 + 10 * number) * times) + 0.3 * hiss)
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", RATE, 1, format="FLAC") as file:
        file.title = "steered to jazz"
        file.write(samples)
    return stream.getvalue()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store `plain` with its sweep; and `music.store`, the same after `listening` was exported."""
    folder = tmp_path_factory.mktemp("made")
    store = open_store(folder / "plain", create=True)
    _write(store, "effects", _effects(), TABLES["effects"].schema())
    _write(store, "sweep_generations", _members(), TABLES["sweep_generations"].schema())
    for number, made in enumerate(sorted({row["generation_id"] for row in _members()})):
        commit(store.objects, f"audio/{made}.flac", _sound(number), kind="sound", sound=never)
    shutil.copytree(folder / "plain", folder / "music.store")
    url = str(folder / "music.store")
    export_test(ListenOptions(url, "strength", folder / "listening", settings=6, conditions=1, seed=0))
    return folder


@pytest.fixture
def sweep_store(made_once: Path, tmp_path: Path) -> Store:
    """One pair, six strengths, two texts, two random states: of which one is for reporting."""
    return open_store(shutil.copytree(made_once / "plain", tmp_path / "music.store"))


@pytest.fixture
def add_members(sweep_store: Store) -> Callable[..., None]:
    """Plans the same again with ids of their own, as another recording or other directions would."""

    def add(prefix: str, **columns: str) -> None:
        named = ("generation_id", "unsteered_id")
        rows = [row | {name: prefix + row[name] for name in named} | columns for row in _members()]
        _write(sweep_store, "sweep_generations", iter(rows), TABLES["sweep_generations"].schema())
        for number, made in enumerate(sorted({row["generation_id"] for row in rows})):
            commit(sweep_store.objects, f"audio/{made}.flac", _sound(number), kind="sound", sound=never)

    return add


@pytest.fixture
def page(sweep_store: Store, made_once: Path, tmp_path: Path) -> Path:
    """The page of a test with all six settings; its sounds and the key are made."""
    shutil.copytree(made_once / "music.store", tmp_path / "music.store", dirs_exist_ok=True)
    return Path(shutil.copytree(made_once / "listening", tmp_path / "listening")) / "index.html"


@pytest.fixture
def key(sweep_store: Store, page: Path) -> list[dict[str, Any]]:
    """What each sound of that test is."""
    rows: list[dict[str, Any]] = run_query(refresh_catalog(sweep_store), "FROM listening_sounds").to_pylist()
    return rows


@pytest.fixture
def answers(key: list[dict[str, Any]]) -> Answer:
    """A file's content for a listener: a rating and a preference for each sound, by its row of the key."""

    def fill(
        listener: str, rating: Callable[[dict[str, Any]], float], liking: Callable[[dict[str, Any]], float]
    ) -> dict[str, Any]:
        given = []
        for trial in dict.fromkeys(row["trial_id"] for row in key):
            sounds = [row for row in key if row["trial_id"] == trial]
            shown = [row["sound_id"] for row in sounds][::-1]
            if sounds[0]["kind"] == "rating":
                said: dict[str, Any] = {"scores": {row["sound_id"]: rating(row) for row in sounds}}
            else:
                said = {"chosen": max(sounds, key=liking)["sound_id"]}
            given.append({"trial": trial, "kind": sounds[0]["kind"], "shown": shown, **said})
        return {
            "format": "undertone-listening", "version": 1, "test": key[0]["test_id"], "seed": 7,
            "listener": listener, "started": "2026-11-22T12:00:00.000Z",
            "finished": "2026-11-22T13:10:00.000+01:00", "answers": given,
        }  # fmt: skip

    return fill
