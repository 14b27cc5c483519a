"""What a shell completes: names of runs, tags and datasets of the store on the line."""

from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from jobs.cli.main import undertone
from store.opening import Store, open_store
from store.tags import set_tag


@pytest.fixture
def tagged(planted_store: Store) -> str:
    set_tag(planted_store.objects, "tops", "toy")
    return planted_store.url


def completed(arguments: list[str], incomplete: str) -> list[str]:
    """What bash is told, by the code that bash would run."""
    shell = BashComplete(undertone, {}, "undertone", "_UNDERTONE_COMPLETE")
    return [item.value for item in shell.get_completions(arguments, incomplete)]


@pytest.mark.parametrize("command", [["probe"], ["kmeans"], ["directions"], ["status"], ["run", "show"]])
def test_runs_tags_and_latest_complete_where_a_run_is_asked_for(tagged: str, command: list[str]) -> None:
    assert completed([*command, tagged], "") == ["toy", "tops", "latest"]
    assert completed([*command, tagged], "to") == ["toy", "tops"]


def test_options_that_take_a_run_or_a_dataset_complete_too(tagged: str) -> None:
    assert completed(["report", tagged, "--run"], "to") == ["toy", "tops"]
    assert completed(["evaluate", tagged, "--dataset"], "so") == ["songs"]
    for command in (["extract"], ["dataset", "show"], ["dataset", "remove"], ["dataset", "rename"]):
        assert completed([*command, tagged], "s") == ["songs"]


def test_a_place_without_a_store_completes_nothing_and_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_store(tmp_path / "empty.store", create=True)
    for place in ("nowhere", str(tmp_path / "empty.store"), "s3:/nonsense://"):
        assert completed(["dataset", "show", place], "") == []
    assert capsys.readouterr() == ("", "")
