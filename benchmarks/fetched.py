"""Count how often the bytes of long recordings in a bucket travel: when they are added, and for a whole run.

python -m benchmarks.fetched [--recordings N] [--seconds S] [--clip-seconds S] [--unit-clips N]

MP3s of noise lie on an S3 server of this machine, behind a proxy that counts bytes. Every unit is read as by
a worker that knows no other: what it has to fetch counts, not what it decodes.
"""

import argparse
import os
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import obstore
import soundfile

from benchmarks.bucket import BUCKET, CREDENTIALS, Proxy, proxy_before, s3_server
from benchmarks.scale import ARRAYS
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract.cutting import fitting, unit_clips_for
from jobs.extract.texts import planned_clips
from pipelines.audio.files import open_root
from pipelines.audio.recordings import Recordings
from store.arrays.plan import recording_ends, unit_starts
from store.objects.remote import RemoteObjects
from store.opening import open_store
from store.records import PlannedClip

RATE = 32_000


def main() -> None:
    """Print how many times the files travelled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=540.0)
    parser.add_argument("--clip-seconds", type=float, default=10.0)
    parser.add_argument("--unit-clips", type=int, default=512)
    options = parser.parse_args()
    os.environ.update(CREDENTIALS)
    with s3_server() as endpoint, proxy_before(endpoint) as proxy, tempfile.TemporaryDirectory() as folder:
        os.environ["AWS_ENDPOINT_URL"] = proxy.endpoint
        os.environ["XDG_STATE_HOME"] = folder
        nbytes = upload(Path(folder), options.recordings, options.seconds)
        print(f"{options.recordings} MP3s of {options.seconds:g} s, {nbytes / 1e6:.1f} MB")
        root = f"s3://{BUCKET}/audio"
        before = proxy.received
        add_dataset(AddRequest(f"{folder}/store", "songs", root, clip_seconds=options.clip_seconds))
        print(f"dataset add: {(proxy.received - before) / nbytes:.3f} times their bytes", flush=True)
        tell_units(f"{folder}/store", root, proxy, nbytes, options.unit_clips)


def upload(folder: Path, count: int, seconds: float) -> int:
    """So many recordings with the same sound and different tails; returns the bytes of all."""
    path, objects, total = folder / "a.mp3", RemoteObjects(f"s3://{BUCKET}"), 0
    noise = np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32) / 10
    soundfile.write(path, noise, RATE)
    for number in range(count):
        data = path.read_bytes() + b"TAG" + f"{number:0125d}".encode()
        obstore.put(objects.backend, f"audio/{number:03d}.mp3", data)
        total += len(data)
    return total


def tell_units(store: str, root: str, proxy: Proxy, nbytes: int, unit_clips: int) -> None:
    """For units as `extract` cuts them by default, as large as was said, and cut without regard."""
    clips = planned_clips(open_store(store).dataset("songs"), "")
    ends = recording_ends(clips["uri"])
    usual = unit_clips_for(ARRAYS, len(clips), int(np.diff(ends, prepend=0).max()))
    sizes = {"by default": fitting(ends, usual), "at most as said": fitting(ends, unit_clips)}
    for name, size in (sizes | {"of just that size": unit_clips}).items():
        before, starts = proxy.received, [*unit_starts(clips["uri"], size).tolist(), len(clips)]
        for first, last in pairwise(starts):
            worker, seen = Recordings(open_root(root), sample_rate=RATE), set()
            for row in clips.slice(first, last - first).to_pylist():
                if row["uri"] not in seen:
                    worker.decode(PlannedClip(**row))
                    seen.add(row["uri"])
        fetched = (proxy.received - before) / nbytes
        rows = (len(starts) - 2) * size + starts[-1] - starts[-2]
        print(
            f"units {name} ({size} clips, {len(starts) - 1} units): {fetched:.3f} times their bytes, "
            f"{rows / len(clips):.3f} rows per clip",
            flush=True,
        )


if __name__ == "__main__":
    main()
