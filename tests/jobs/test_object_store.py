"""The whole job where store and audio both lie in a bucket."""

from pathlib import Path

import numpy as np
import pytest

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from store import open_store
from store.arrays.verification import verify
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query


@pytest.fixture
def bucket_audio(s3_url: str, recordings: Path) -> str:
    """The recordings, copied into the bucket."""
    import s3fs

    url = f"{s3_url}/audio"
    s3fs.S3FileSystem(skip_instance_cache=True).put(
        str(recordings), url.removeprefix("s3://"), recursive=True
    )
    return url


def test_a_bucket_gives_the_same_bytes_as_a_folder(
    s3_url: str, bucket_audio: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    remote = f"{s3_url}/music"
    add_dataset(AddRequest(remote, "tones", bucket_audio, clip_seconds=1.0))
    summaries = [
        run_extraction(ExtractOptions(url, "tones", model="pocket-random", engine="inline", unit_clips=4))
        for url in (remote, store)
    ]
    assert summaries[0]["run"] == summaries[1]["run"]
    there, here = (open_store(url).run(summaries[0]["run"]) for url in (remote, store))
    for name in here.arrays:
        for layer in here.layers(name):
            (remote_values, remote_ids), (values, ids) = (
                there.read_layer(name, layer),
                here.read_layer(name, layer),
            )
            assert remote_ids == ids
            np.testing.assert_array_equal(remote_values, values)
    assert not verify(there)
    rows = run_query(refresh_catalog(open_store(remote)), "SELECT clips, complete FROM runs").to_pylist()
    assert rows == [{"clips": 11, "complete": True}]
