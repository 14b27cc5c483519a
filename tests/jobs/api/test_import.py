"""`import undertone` costs nothing, and knows every name that it promises."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import undertone as ut

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"torch", "ray", "duckdb", "numpy", "pyarrow", "pandas", "scipy", "zarr", "click", "rich"}


def test_the_module_is_that_of_this_repository_and_goes_into_the_wheel() -> None:
    from hatchling.builders.wheel import WheelBuilder

    assert ut.__file__ == str(ROOT / "undertone.py")
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {path.split("/")[0] for path in shipped} == {
        "undertone.py",
        "undertone_explore",
        "undertone_testing",
        "analysis",
        "jobs",
        "pipelines",
        "store",
    }


def test_the_import_loads_no_heavy_library_and_is_quick() -> None:
    code = (
        "import sys, time; start = time.process_time(); import undertone; "
        "print(time.process_time() - start, *sys.modules)"
    )
    seconds, *loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert HEAVY.isdisjoint(loaded)
    assert float(seconds) < 0.3


def test_every_name_is_found_explained_and_known_to_type_checkers() -> None:
    tree = ast.parse((ROOT / "undertone.py").read_text(encoding="utf-8"))
    declared = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        for entry in node.body
        if isinstance(entry, ast.ImportFrom)
        for alias in entry.names
    }
    assert declared == set(ut.__all__)
    assert ut.__all__ == sorted(ut.__all__)
    for name in ut.__all__:
        value = getattr(ut, name)
        assert inspect.getdoc(value), name
        assert name in dir(ut)


def test_a_name_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"no 'prob'; it has .*probe"):
        ut.prob  # noqa: B018


@pytest.mark.parametrize("name", sorted(ut.__all__))
def test_every_function_says_what_its_arguments_are(name: str) -> None:
    value = getattr(ut, name)
    functions = [value] if inspect.isfunction(value) else []
    if inspect.isclass(value):
        functions = [
            member
            for own, member in vars(value).items()
            if inspect.isfunction(member) and not own.startswith("_")
        ]
    for function in functions:
        text = inspect.getdoc(function)
        assert text, function
        named = [one for one in inspect.signature(function).parameters if one != "self"]
        if len(named) > 1:
            assert "Args:" in text, function
            assert [one for one in named if f"{one}:" not in text] == [], function
