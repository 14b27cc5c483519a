"""The bill of an extraction before it runs, beside what the extraction then wrote and asked."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract import rehearsal
from jobs.extract.bill import OWN_PRICES, bill, describe_extraction, in_words
from jobs.extract.estimate import Pace
from jobs.extract.options import ExtractOptions
from jobs.extract.planning import Extraction, resolve
from jobs.extract.prices import Prices
from jobs.extract.running import run_extraction
from store.arrays.plan import clip_table
from store.errors import InvalidInput
from store.objects.counting import CountedObjects
from store.objects.protocol import Buffer
from store.objects.storage import open_objects
from store.records import PlannedClip

PACE = Pace(encode=0.5, forward=1.5, device="cuda")


def options(store: str, **more: Any) -> ExtractOptions:
    settings = {"model": "pocket-random", "engine": "inline", "unit_clips": 4, "batch_clips": 2, **more}
    return ExtractOptions(store, "tones", **settings)


def planned(store: str, *, clips: int = 11, **more: Any) -> Extraction:
    work = resolve(options(store, **more))
    many = [PlannedClip(f"{n:016x}", f"{n}.wav", 0.0, 1.0, "", f"{n:064x}") for n in range(clips)]
    return replace(work, clips=clip_table(many))


class Kept(CountedObjects):
    """Copies what it is given: the bucket in memory would keep the very buffers, which are used again."""

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        return super().create(key, [bytes(buffer) for buffer in buffers])

    def put(self, key: str, data: Buffer) -> None:
        super().put(key, bytes(data))


@pytest.fixture
def new_bucket(audio: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], CountedObjects]:
    """Makes a bucket in memory that holds the dataset "tones", and becomes the one that is opened."""

    def make() -> CountedObjects:
        objects = Kept(open_objects("memory://"))
        monkeypatch.setattr("store.opening.open_objects", lambda *_: objects)
        add_dataset(AddRequest("memory://", "tones", str(audio), clip_seconds=1.0))
        return objects

    return make


@pytest.mark.parametrize("kept", ["fp16", "int8"])
def test_a_dry_run_writes_nothing_and_tells_to_the_byte_what_shards_will_take(store: str, kept: Any) -> None:
    before = set(Path(store).rglob("*"))
    plan = describe_extraction(options(store, reduce="mean,frames", store_dtype=kept))
    assert set(Path(store).rglob("*")) == before
    assert (plan["units"], plan["clips"]) == (3, 11)
    assert plan["estimated_seconds"] > 0
    assert plan["bytes_per_clip"] == round(plan["total_bytes"] / 11)
    run_extraction(options(store, reduce="mean,frames", store_dtype=kept))
    shards = [path for path in Path(store).rglob("c.*") if path.is_file()]
    assert sum(plan["array_bytes"].values()) + plan["codes_bytes"] == sum(p.stat().st_size for p in shards)
    assert len(shards) == plan["objects"]["shards"]


@pytest.mark.parametrize("reduce", ["mean", "mean,std,frames"])
def test_objects_and_requests_are_those_of_the_extraction_that_follows(
    new_bucket: Callable[[], CountedObjects], reduce: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.arrays.layout.MAX_SHARD_BYTES", 4_000_000)  # several shards of frames per unit
    beside = []
    for unit_clips in (4, 2):
        bucket = new_bucket()
        said = options("memory://", reduce=reduce, unit_clips=unit_clips)
        told = bill(resolve(said), PACE, OWN_PRICES)
        known = set(bucket.requests.written)
        bucket.requests.calls.clear()
        run_extraction(said)
        asked = Counter(bucket.requests.calls)
        written = {key: n for key, n in bucket.requests.written.items() if key not in known}
        assert told["objects"] == Counter(_kind(key) for key in written if "/heartbeat/" not in key)
        assert told["objects"]["shards"] > (20 if "frames" in reduce else 11)
        assert told["total_bytes"] == pytest.approx(sum(written.values()), rel=0.02)
        beside.append({kind: asked[kind] - told["requests"][kind] for kind in ("PUT", "GET", "HEAD", "LIST")})
    assert beside[0] == beside[1], "what is asked beside is asked once, however many units there are"
    assert 0 <= min(beside[0].values()) <= max(beside[0].values()) <= 20


def _kind(key: str) -> str:
    return "markers" if "/commits/" in key else "shards" if "/c." in key else "documents"


def test_a_long_plan_is_told_as_if_it_were_rehearsed_whole(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.arrays.manifests.STEP_UNITS", 8)
    monkeypatch.setattr("store.arrays.manifests.MOST_LOOSE", 4)
    monkeypatch.setattr("store.arrays.manifests.GROUP_UNITS", 32)
    work = planned(store, clips=4 * 43 + 3)
    told = rehearsal.rehearse(work.spec, work.clips)
    monkeypatch.setattr(rehearsal, "FEW_STEPS", 1000)
    whole = rehearsal.rehearse(work.spec, work.clips)
    assert (told.shards, told.markers, told.documents) == (whole.shards, whole.markers, whole.documents)
    asked = {kind: pytest.approx(count, rel=0.05, abs=2) for kind, count in whole.requests.items()}
    assert told.requests == asked, "but for the manifests of other groups, which are read once more"
    assert told.small_bytes == pytest.approx(whole.small_bytes, rel=0.02)


def test_dollars_are_time_space_and_requests_at_the_given_prices(store: str) -> None:
    prices = Prices(price_gpu_hour=3600.0, price_gb_month=1e9, price_1000_puts=0, price_1000_gets=0, months=2)
    told = bill(planned(store), PACE, prices)
    assert told["gpu_hours"] == pytest.approx(11 * 2.0 / 3600, abs=1e-6)
    assert told["dollars"]["computing"] == pytest.approx(11 * 2.0), "a dollar per second"
    assert told["dollars"]["space"] == pytest.approx(2 * told["total_bytes"]), "a dollar per byte and month"
    asked = bill(planned(store), PACE, Prices(price_1000_puts=1000.0, price_1000_gets=0.0))
    assert asked["dollars"]["requests"] == asked["requests"]["PUT"] + asked["requests"]["LIST"]
    asked = bill(planned(store), PACE, Prices(price_1000_puts=0.0, price_1000_gets=1000.0))
    assert asked["dollars"]["requests"] == asked["requests"]["GET"] + asked["requests"]["HEAD"]


def test_without_a_gpu_the_cores_of_the_workers_are_paid(store: str) -> None:
    pace = replace(PACE, device="cpu")
    told = bill(planned(store, threads=3), pace, Prices(price_cpu_hour=3600.0))
    assert told["dollars"]["computing"] == pytest.approx(3 * 11 * 2.0)
    assert "gpu_hours" not in told


def test_frames_are_to_be_stored_where_that_costs_less_than_one_more_pass(store: str) -> None:
    work = planned(store)
    free_space = bill(work, PACE, Prices(price_gb_month=0.0, price_1000_puts=0.0))["frames"]
    dear_space = bill(work, PACE, Prices(price_gb_month=1e6, price_gpu_hour=3600.0))["frames"]
    assert free_space["advice"].startswith("store")
    assert dear_space["advice"].startswith("recompute")
    assert dear_space["dollars_to_recompute"] == pytest.approx(11 * 1.5), "EnCodec need not run again"
    passes = dear_space["dollars_to_keep"] / dear_space["dollars_to_recompute"]
    assert f"from {int(-(-passes // 1)):,} passes on" in dear_space["advice"]


def test_the_command_says_the_bill_in_words_and_as_json(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.extract.bill.measure_pace", lambda *_: PACE)
    command = ["extract", store, "tones", "--model", "pocket-random", "--dry-run", "--price-gpu-hour", "7"]
    told = json.loads(CliRunner().invoke(undertone, [*command, "--format", "json"]).output)
    assert told["dollars"]["computing"] == pytest.approx(7 * 11 * 2.0 / 3600, abs=1e-6)
    words = CliRunner().invoke(undertone, command).output
    for line in in_words(told).values():
        assert line in words
    assert "computing $0.04" in words


def test_a_price_below_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="--price-gpu-hour is -1"):
        Prices(price_gpu_hour=-1.0)
