"""Where this user's files lie: one rule for caches, catalogs and remembered folders."""

from pathlib import Path

import pytest

from jobs.dataset.roots import roots_file
from pipelines.user_cache import cache_folder
from store.catalog.folder import catalog_path
from store.objects.storage import open_objects


@pytest.mark.parametrize("named", ["{tmp}/named", "~/named", "named", "./named", "", None])
def test_caches_catalogs_and_roots_lie_below_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
        if named is not None:
            monkeypatch.setenv(variable, named.format(tmp=tmp_path))
    known = {"{tmp}/named": tmp_path / "named", "~/named": tmp_path / "home/named"}
    cache = known.get(named or "", tmp_path / "home/.cache")
    state = known.get(named or "", tmp_path / "home/.local/state")
    assert cache_folder() == cache / "undertone"
    assert catalog_path(open_objects(tmp_path / "s")).parent == cache / "undertone/catalogs"
    assert roots_file() == state / "undertone/roots.json"
