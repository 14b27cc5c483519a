"""Ids of results depend on the code that decides their numbers: no module of it may be forgotten."""

import ast
import importlib.util
from pathlib import Path

import pytest

from jobs.clusterings.running import CODE as KMEANS
from jobs.steering_vectors.fitting import CODE as DIRECTIONS


def imports_of(module: str) -> set[str]:
    """Modules that a module imports from, anywhere in it."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    nodes = ast.walk(ast.parse(Path(found.origin).read_text()))
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize(
    ("code", "own", "decides_nothing"),
    [
        (KMEANS, "jobs.clusterings.", set()),
        (DIRECTIONS, "jobs.steering_vectors.", {"options", "report", "stored"}),
    ],
)
def test_what_decides_numbers_imports_nothing_that_is_left_out(
    code: tuple[str, ...], own: str, decides_nothing: set[str]
) -> None:
    imported = {name for module in code for name in imports_of(module)}
    deciding = {name for name in imported if name.startswith(("analysis.", own))}
    assert deciding - {f"{own}{name}" for name in decides_nothing} <= set(code)
