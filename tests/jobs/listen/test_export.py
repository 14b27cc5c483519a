"""A listening test is blind: nothing that a listener gets says which sound is which."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.listen.exporting import export_test
from jobs.listen.options import ListenOptions
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound
from store.opening import Store

Rows = list[dict[str, Any]]


def told(page: Path) -> dict[str, Any]:
    """What the page knows of the test."""
    (found,) = re.findall(
        r'<script type="application/json" id="test">(.*?)</script>', page.read_text(encoding="utf-8")
    )
    document: dict[str, Any] = json.loads(found)
    return document


def sound(page: Path, name: str) -> np.ndarray[Any, Any]:
    samples, _ = soundfile.read(page.parent / "sounds" / f"{name}.wav")
    return np.asarray(samples)


def of(key: Rows, role: str, kind: str = "rating") -> Rows:
    return [row for row in key if row["role"] == role and row["kind"] == kind]


def test_neither_names_nor_markup_nor_files_say_what_a_sound_is(page: Path, key: Rows) -> None:
    names = sorted(path.name for path in (page.parent / "sounds").iterdir())
    assert len(names) == 6 * (4 + 1 + 3)
    assert all(re.fullmatch(r"[0-9a-f]{12}\.wav", name) for name in names)
    everything = page.read_text(encoding="utf-8") + "".join(names)
    for telling in {row["generation_id"] for row in key} | {row["setting_id"] for row in key}:
        assert telling not in everything
    for role in ("steered", "anchor", "random control", "low-pass"):
        assert role not in everything
    files = [path.read_bytes() for path in (page.parent / "sounds").iterdir()]
    assert len({len(file) for file in files}) == 1, "equal sizes"
    assert not any(b"jazz" in file or b"LIST" in file for file in files), "no tags"
    for trial in told(page)["trials"]:
        assert trial["sounds"] == sorted(trial["sounds"])


def test_roles_stand_at_every_place_of_the_list(key: Rows) -> None:
    places = set()
    for trial in {row["trial_id"] for row in key}:
        ordered = sorted(
            (row for row in key if row["trial_id"] == trial), key=lambda row: str(row["sound_id"])
        )
        places |= {(row["kind"], row["role"], place) for place, row in enumerate(ordered)}
    assert len([one for one in places if one[1] == "steered"]) >= 5, "of 4 + 3 places"


def test_the_hidden_reference_is_the_shown_one_by_another_name(page: Path, key: Rows) -> None:
    shown = {trial["trial"]: trial["reference"] for trial in told(page)["trials"]}
    for row in of(key, "reference"):
        assert shown[row["trial_id"]] != row["sound_id"]
        np.testing.assert_array_equal(sound(page, shown[row["trial_id"]]), sound(page, row["sound_id"]))
    assert {shown[row["trial_id"]] for row in of(key, "steered", "choice")} == {None}


def test_the_anchor_is_the_reference_without_its_treble(page: Path, key: Rows) -> None:
    for anchor in of(key, "anchor"):
        (reference,) = [row for row in of(key, "reference") if row["trial_id"] == anchor["trial_id"]]
        low, whole = (np.abs(np.fft.rfft(sound(page, row["sound_id"]))) ** 2 for row in (anchor, reference))
        hertz = np.fft.rfftfreq(16_000, 1 / 16_000)
        assert low[hertz > 4500].sum() / low.sum() < 1e-5, "16 bits have that much noise"
        assert whole[hertz > 4500].sum() / whole.sum() > 1e-2
        kept = low[hertz < 3000] / whole[hertz < 3000]
        assert kept.std() / kept.mean() < 0.05, "below the cut-off nothing changes but the level"


def test_all_sounds_of_a_trial_are_equally_loud(page: Path, key: Rows) -> None:
    for trial in {row["trial_id"] for row in key}:
        names = [row["sound_id"] for row in key if row["trial_id"] == trial]
        loudness = [float(np.sqrt(np.mean(sound(page, name) ** 2))) for name in names]
        assert loudness == pytest.approx([loudness[0]] * len(names), rel=1e-3)
        assert max(np.abs(sound(page, name)).max() for name in names) < 1


def test_only_the_reporting_half_is_heard_and_each_setting_twice(key: Rows) -> None:
    assert {row["random_state"] for row in key} == {1}
    trials = {(row["setting_id"], row["kind"], row["trial_id"]) for row in key}
    assert len(trials) == len({trial[:2] for trial in trials}) == 12
    for kind, roles in {
        "rating": ["anchor", "random", "reference", "steered"],
        "choice": ["random", "steered", "unsteered"],
    }.items():
        for trial in {row["trial_id"] for row in key if row["kind"] == kind}:
            assert sorted(row["role"] for row in key if row["trial_id"] == trial) == roles


def test_the_sounds_of_a_trial_share_their_prompt_and_noise(sweep_store: Store, key: Rows) -> None:
    sql = "SELECT DISTINCT generation_id, template, random_state FROM sweep_generations"
    conditions = {
        row["generation_id"]: row for row in run_query(refresh_catalog(sweep_store), sql).to_pylist()
    }
    for row in key:
        made = conditions[row["generation_id"]]
        assert (made["template"], made["random_state"]) == (row["template"], row["random_state"])


def test_sounds_of_other_recordings_and_other_plans_are_never_compared(
    sweep_store: Store, add_members: Callable[..., None], tmp_path: Path
) -> None:
    add_members("first ", audio_prompt="a.wav")
    add_members("second ", audio_prompt="b.wav")
    add_members("other ", plan_id="of other numbers")
    export_test(
        ListenOptions(sweep_store.url, "strength", tmp_path / "all", settings=1, conditions=9, seed=0)
    )
    rows = run_query(refresh_catalog(sweep_store), "FROM listening_sounds").to_pylist()
    recordings = {"first": "a.wav", "second": "b.wav"}
    trials = {row["trial_id"]: (row["kind"], row["audio_prompt"]) for row in rows}
    assert len(trials) == 2 * 2 * 3, "rated and chosen; two texts; two recordings or none"
    for trial, (kind, recording) in trials.items():
        sounds = [row["generation_id"] for row in rows if row["trial_id"] == trial]
        assert len(sounds) == {"rating": 4, "choice": 3}[kind]
        assert {recordings.get(one.split(" ")[0]) for one in sounds} == {recording}
        assert not any(one.startswith("other") for one in sounds)


def test_fewer_settings_are_spread_from_the_least_transfer_to_the_most(
    sweep_store: Store, tmp_path: Path
) -> None:
    export_test(ListenOptions(sweep_store.url, "5eed", tmp_path / "few", settings=3, conditions=2, seed=0))
    sql = "SELECT setting_id, count(DISTINCT trial_id) AS n FROM listening_sounds GROUP BY ALL ORDER BY ALL"
    rows = run_query(refresh_catalog(sweep_store), sql).to_pylist()
    assert [row["setting_id"] for row in rows] == ["setting0.1", "setting0.3", "setting0.8"]
    assert {row["n"] for row in rows} == {4}, "two conditions, each rated and chosen from"


def test_the_same_arguments_give_the_same_test_and_another_seed_another(
    sweep_store: Store, tmp_path: Path
) -> None:
    first, again, other = (
        export_test(
            ListenOptions(sweep_store.url, "strength", tmp_path / name, settings=6, conditions=1, seed=seed)
        )
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first["test"] == again["test"] != other["test"]
    pages = [(tmp_path / name / "index.html").read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_a_folder_with_something_in_it_is_refused(sweep_store: Store, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.wav").touch()
    with pytest.raises(InvalidInput, match="full is not empty"):
        export_test(
            ListenOptions(sweep_store.url, "strength", tmp_path / "full", settings=1, conditions=1, seed=0)
        )


def test_an_unknown_sweep_is_refused_with_the_choices(sweep_store: Store, tmp_path: Path) -> None:
    command = ["listen", "export", sweep_store.url, "fusion", "--into", str(tmp_path / "new")]
    error = CliRunner().invoke(undertone, command).exception
    assert isinstance(error, NotFound)
    assert re.search(r"no sweep 'fusion'; it has strength\. .*undertone sweep", str(error))
    assert not (tmp_path / "new").exists()
