"""`undertone status` names what is wrong with documents, records and markers, and misses what is gone."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jobs.cli.main import undertone
from store.objects.storage import open_objects
from store.upkeep.inspection import damage, inspect_documents
from store.upkeep.unrecorded import unrecorded


def status(store: Path) -> Result:
    return CliRunner().invoke(undertone, ["status", str(store)], standalone_mode=False)


def named_by_status(store: Path) -> set[str]:
    """What the command goes by; the command itself also asks the catalog, which takes a while."""
    objects = open_objects(store)
    lost = unrecorded(objects, objects.survey("records"), objects.survey("results").versions)
    return {entry.key for entry in damage(inspect_documents(objects))} | set(lost)


def small_files(store: Path) -> list[str]:
    """Documents, plans, records and markers, but for the file that makes the folder a store."""
    keys = {path.relative_to(store).as_posix() for path in store.rglob("*.*") if path.is_file()}
    others = {"undertone.json", "records/runs/run/complete/000003.json"}  # a later one names all it does
    return sorted(key for key in keys - others if re.search(r"\.json$|/plan/", key))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def deepen(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def test_status_of_a_whole_store_says_nothing(intact: Path) -> None:
    result = status(intact)
    assert (result.return_value, result.stderr) == (0, "")


@pytest.mark.parametrize("damaged", [flip, deepen, Path.unlink])
def test_status_names_every_document_record_and_marker_that_is_damaged_or_gone(
    store: Path, damaged: Callable[[Path], None]
) -> None:
    silent = []
    for key in small_files(store):
        path = store / key
        whole = path.read_bytes()
        damaged(path)
        main = re.sub(r"^records/(.*)\.json$", r"\1", key)
        if named_by_status(store).isdisjoint({key, main, main.removesuffix(f"/{Path(main).name}")}):
            silent.append(key)
        path.write_bytes(whole)
    assert silent == []


@pytest.mark.parametrize(
    "gone",
    [
        ["datasets/songs"],
        ["datasets/songs", "records/datasets/songs"],
        ["codes/c0de", "records/codes/c0de"],
        ["codes/c0de"],
        ["runs/run"],
        ["results/measured"],
        ["features/songs-1/commits"],
        ["audio"],
        ["moments"],
    ],
)
def test_status_misses_what_was_removed(store: Path, gone: list[str]) -> None:
    for folder in gone:
        shutil.rmtree(store / folder)
    result = status(store)
    assert result.return_value == 1
    assert gone[0] in result.stderr
    assert re.search(r"Cure: .*undertone", result.stderr)
