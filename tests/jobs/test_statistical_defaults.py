"""Defaults that decide what a result says are those that the documentation gives reasons for."""

import inspect
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

import undertone as ut
from jobs.directions.options import DirectionOptions
from jobs.kmeans.options import KmeansOptions
from jobs.probe.options import ProbeOptions

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "controls.md"
COMMANDS: dict[str, tuple[Any, Any]] = {
    "probe": (ProbeOptions, ut.probe),
    "directions": (DirectionOptions, ut.directions),
    "kmeans": (KmeansOptions, ut.kmeans),
}
ROW = re.compile(r"^\| `(\w+) --([\w-]+)` \| `(\S+)` \| (.+) \|$", re.MULTILINE)
STATED = {
    (command, flag.replace("-", "_")): default for command, flag, default, _ in ROW.findall(PAGE.read_text())
}
DECIDING = {"split", "folds", "controls", "seed", "starts", "scaling", "batch_size"}


def test_every_default_that_decides_numbers_has_a_reason() -> None:
    options = {
        (command, one.name): one.default
        for command, (kind, _) in COMMANDS.items()
        for one in fields(kind)
        if one.name in DECIDING and one.default is not MISSING
    }
    assert {
        place: str(default) for place, default in options.items() if place != ("kmeans", "seed")
    } == STATED


@pytest.mark.parametrize(("command", "name"), STATED)
def test_python_has_the_default_of_the_command(command: str, name: str) -> None:
    argument = inspect.signature(COMMANDS[command][1]).parameters.get(name)
    assert argument is not None
    assert str(argument.default) == STATED[command, name]
