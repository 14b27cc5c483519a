"""Every command has its home in Python: a name of `undertone`, or a method of a store, a dataset or a run."""

from collections.abc import Iterator

import click
import pytest

import undertone as ut
from jobs.cli.main import undertone

HOMES = {
    "convert": "convert",
    "dataset add": "add_dataset",
    "dataset list": "Store.dataset_table",
    "dataset remove": "Dataset.remove",
    "dataset rename": "Dataset.rename",
    "dataset show": "Dataset.details",
    "dataset synth": "synthesize_dataset",
    "demo": "demo",
    "directions": "directions",
    "du": "Store.sizes",
    "evaluate": "evaluate",
    "extract": "extract",
    "extract --dry-run": "bill",
    "gc": "Store.tidy",
    "generate": "generate_into",
    "kmeans": "kmeans",
    "listen export": "export_listening_test",
    "listen import": "import_ratings",
    "probe": "probe",
    "repair": "repair",
    "report": "report",
    "run list": "Store.run_table",
    "run remove": "Run.remove",
    "run show": "Run.details",
    "run tag": "Run.tag",
    "run tag --remove": "Store.remove_tag",
    "compare": "compare",
    "map": "clip_map",
    "explore": "explore",
    "similar": "similar",
    "sql": "Store.sql",
    "status": "Store.status",
    "sweep": "sweep",
    "sweep --show": "shipped_sweeps",
    "upgrade": "upgrade",
    "vectors export": "export_directions",
    "vectors import": "import_directions",
    "vectors list": "stored_directions",
    "vectors superposition": "superposition",
    "verify": "verify",
}
"""By command, or an option of it that does something else instead."""
STAY_DRY = {"dataset remove", "dataset rename", "gc", "run remove", "run tag", "run tag --remove", "sweep"}


def commands(group: click.Group, before: str = "") -> Iterator[str]:
    """Names of all commands below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name


def home(command: str) -> object:
    """What does in Python what a command does."""
    found: object = ut
    for name in HOMES[command].split("."):
        found = getattr(found, name)
    return found


def test_every_command_has_a_home_in_python() -> None:
    assert set(commands(undertone)) == {name.partition(" --")[0] for name in HOMES}
    assert all(callable(home(name)) for name in HOMES)


@pytest.mark.parametrize("name", sorted(STAY_DRY))
def test_what_can_be_tried_dry_as_a_command_can_be_in_python(name: str) -> None:
    assert "dry_run" in (home(name).__doc__ or "")


def test_only_commands_that_are_named_here_have_a_dry_run() -> None:
    dry = {name for name in commands(undertone) if "--dry-run" in _options(name)}
    assert dry == {name for name in STAY_DRY | {"extract"} if " --" not in name}


def _options(name: str) -> set[str]:
    command: click.Command = undertone
    for part in name.split():
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), part)
        assert below is not None
        command = below
    return {text for option in command.params for text in option.opts}
