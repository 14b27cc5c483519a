"""A disk that fills up: a clear error, no marker, nothing left over, and the rerun succeeds."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from store.arrays.verification import verify
from store.errors import StorageError
from store.objects.protocol import ObjectStore


@pytest.mark.parametrize("budget", [0, 100, 1000, 2000, 4000])
def test_a_full_disk_is_reported_and_the_rerun_succeeds(
    local_objects: ObjectStore, world: Any, contents: Any, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    collection = world.create(local_objects)
    left = budget
    write = os.write

    def limited(descriptor: int, data: memoryview) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(descriptor, data[:left])
        left -= count
        return count

    with monkeypatch.context() as full:
        full.setattr("os.write", limited)
        with pytest.raises(StorageError, match=r"Cannot write .*No space left.*free some space"):
            world.write(collection, collection.units()[0])
    assert collection.missing_units() == collection.units()
    assert not any(Path(local_objects.url, ".temporary").iterdir())

    world.write_all(collection)
    assert verify(collection) == []
    untouched = world.create(local_objects, prefix="runs/untouched")
    world.write_all(untouched)
    arrays = [list(contents(local_objects, run.group).values()) for run in (collection, untouched)]
    assert arrays[0] == arrays[1]


_SCRIPT = """
import resource, signal, sys
from pathlib import Path
from store.errors import StorageError
from store.objects.local import LocalObjects
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    LocalObjects(Path(sys.argv[1])).create("key", [bytes(10_000)])
except StorageError as error:
    print(error)
"""


def test_the_kernel_refusing_bytes_leaves_no_half_object(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE >= 0
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )

    assert "Cannot write" in done.stdout
    assert "ulimit -f" in done.stdout
    assert [path.name for path in tmp_path.rglob("*")] == [".temporary"]


def test_a_folder_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.objects.local import LocalObjects

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(StorageError, match=r"Permission denied.*permissions"):
        LocalObjects(tmp_path).create("key", [b"x"])
