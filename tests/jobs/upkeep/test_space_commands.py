"""`undertone du` and `undertone gc`, as a user types them."""

import json
import re
from pathlib import Path

import pytest

from jobs.cli.main import main
from jobs.upkeep.space import parse_size
from store.errors import InvalidInput
from store.objects.ledger import commit, never
from store.opening import Store, open_store


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    printed = capsys.readouterr()
    assert exit_.value.code == 0, printed.err
    return printed.out


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store with moments of 1,500 bytes."""
    store = open_store(tmp_path / "small.store", create=True)
    commit(store.objects, "moments/a/resid.mean.0.npy", bytes(1500), kind="cache", sound=never)
    return store


def test_du_tells_the_store_and_the_caches_beside_it(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads(answer(capsys, "du", store.url, "--format", "json"))
    inside = {row["what"]: row["bytes"] for row in rows if row["in"] == "store"}
    assert inside["moments"] == 1500
    assert sum(inside.values()) == sum(size for _, size in store.objects.list(""))
    assert [row["what"] for row in rows if row["in"] == "cache"] == [
        "catalog (in your cache)",
        "other caches of yours",
    ]
    assert re.search("1.5 kB +1 +moments", answer(capsys, "du", store.url))


def test_gc_says_with_dry_run_what_it_does_without(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(store.objects.list(""))
    assert "There is nothing to remove." in answer(capsys, "gc", store.url)
    assert "1.5 kB would be free" in answer(capsys, "gc", store.url, "--budget", "1kB", "--dry-run")
    assert dict(store.objects.list("")) == before
    assert "1.5 kB freed." in answer(capsys, "gc", store.url, "--budget", "1kB")
    assert [key for key, _ in store.objects.list("")] == ["undertone.json"]


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("0", 0), ("10GB", 10_000_000_000), ("1.5 MB", 1_500_000), ("2k", 2000), ("7tb", 7 * 10**12)],
)
def test_a_size_is_a_number_with_or_without_a_unit(text: str, nbytes: int) -> None:
    assert parse_size(text) == nbytes


@pytest.mark.parametrize("text", ["", "ten", "-1", "10 PB", "1e3"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="10GB"):
        parse_size(text)
