"""Requests and objects of a store in a bucket, in good weather and in bad.

python -m benchmarks.weather [--clips N] [--unit-clips N]

The bucket is an S3 server on this machine behind a proxy that adds 30 ms to every request; in bad weather it
also answers 5 % with 503, cuts 2 % of the connections before a request is carried out, and 2 % before the
reply. The store is that of `benchmarks.scale`: nine arrays and codes, tiny shards.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.bucket import BAD_WEATHER, BUCKET, CREDENTIALS, Proxy, proxy_before, s3_server
from benchmarks.scale import ARRAYS, CODES, clips_of, collections_of, write_unit
from jobs.extract.texts import planned_clips
from jobs.upkeep.run_states import overviews
from store.arrays.manifests import STEP_UNITS
from store.arrays.verification import verify
from store.opening import Store, open_store

GOOD_WEATHER = replace(BAD_WEATHER, busy=0.0, reset=0.0, lost_reply=0.0)


def main() -> None:
    """Print a line for each step in each weather."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=3_000)
    parser.add_argument("--unit-clips", type=int, default=64)
    options = parser.parse_args()
    os.environ.update(CREDENTIALS)
    with s3_server() as endpoint:
        for name, weather in (("good", GOOD_WEATHER), ("bad", BAD_WEATHER)):
            with proxy_before(endpoint, weather) as proxy:
                os.environ["AWS_ENDPOINT_URL"] = proxy.endpoint
                measure(name, f"s3://{BUCKET}/{name}", proxy, options.clips, options.unit_clips)


def measure(name: str, url: str, proxy: Proxy, clips: int, unit_clips: int) -> None:
    """All steps, one after the other, on a store of their own."""
    store = open_store(url, create=True)

    def told(step: str, task: Callable[[], object]) -> None:
        before, started = proxy.requests.total(), time.monotonic()
        task()
        asked, seconds = proxy.requests.total() - before, time.monotonic() - started
        print(f"{name:<5} {step:<32} {asked:>6} requests {seconds:>7.2f} s", flush=True)

    info = {"format": "folder", "clip_seconds": 10.0, "hop_seconds": 10.0, "root": {"kind": "local"}}
    told("dataset", lambda: store.add_dataset("many", info, clips_of(clips), []))
    planned = planned_clips(store.dataset("many"), "")
    run, codes = collections_of(store, planned, unit_clips)

    def write() -> None:
        for collection, specs in ((codes, [CODES]), (run, ARRAYS)):
            for number, unit in enumerate(collection.missing()):
                write_unit(collection, unit, specs)
                if number % STEP_UNITS == STEP_UNITS - 1:
                    collection.compact()
            collection.note_complete()

    told(f"{len(run.missing())} units of run and codes", write)
    told("open the run, index it", lambda: Store(store.objects).run("r").index())
    told("status", lambda: overviews(open_store(url)))
    told("read a layer", lambda: store.run("r").read_layer("resid.mean", 0))
    told("verify the run", lambda: verify(store.run("r")))
    rows, _ = store.run("r").read_layer("resid.mean", 0)
    assert np.array_equal(rows, np.ones((clips, 4), np.float32))
    objects = sum(1 for _ in store.objects.list(""))
    print(f"{name:<5} {objects} objects, {objects / clips:.3f} per clip; {proxy.requests}", flush=True)


if __name__ == "__main__":
    main()
