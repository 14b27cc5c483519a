"""Extension points: what is found by name, what is refused, and that nobody's fault is another's."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from store import extensions
from store.errors import BrokenPlugin, InvalidInput, NotFound
from store.extensions import ExtensionPoint

Install = Callable[..., Path]
GROUP = "undertone.numbers"
NUMBERS = ExtensionPoint(GROUP, "number", {"two": ("math:tau", "twice π"), "one": ("math:pi", "π")})
POINTS = [one for one in vars(extensions).values() if isinstance(one, ExtensionPoint)]


def test_what_is_built_in_comes_first_in_its_order_and_plug_ins_by_name(install: Install) -> None:
    install("mine", "1.0", {GROUP: {"zed": "mine:Z", "alpha": "mine:A"}}, {"mine": "Z, A = 26.0, 1.0"})
    assert NUMBERS.names() == ("two", "one", "alpha", "zed")
    assert NUMBERS.load("zed", float) == 26.0
    assert NUMBERS.load("one", float) == pytest.approx(3.14159265)


def test_only_the_origin_of_a_plug_in_is_recorded_with_its_version(install: Install) -> None:
    install("my-numbers", "1.0.3", {GROUP: {"zed": "mine:Z"}}, {"mine": "Z = 26.0"})
    assert NUMBERS.recorded("zed") == {"plugin": "my-numbers 1.0.3"}
    assert NUMBERS.recorded("two") == {}


def test_an_unknown_name_is_told_with_plug_ins_and_built_in_ones(install: Install) -> None:
    install("mine", "1.0", {GROUP: {"zed": "mine:Z"}}, {"mine": "Z = 26.0"})
    with pytest.raises(InvalidInput, match="no number 'three'; it is two, one, zed"):
        NUMBERS.load("three", float)


def test_a_plug_in_that_cannot_be_imported_stops_only_those_who_name_it(install: Install) -> None:
    code = "import a_library_that_nobody_has"
    install("broken-numbers", "0.1", {GROUP: {"zed": "broken:Z"}}, {"broken": code})
    assert NUMBERS.names() == ("two", "one", "zed")
    assert NUMBERS.load("two", float) > 6
    said = r"'zed' comes from broken-numbers 0\.1, which cannot be loaded \(ModuleNotFoundError: .*nobody_has"
    with pytest.raises(BrokenPlugin, match=said):
        NUMBERS.load("zed", float)


def test_an_object_of_another_kind_is_refused_with_its_distribution(install: Install) -> None:
    install("mine", "1.0", {GROUP: {"zed": "mine:Z"}}, {"mine": "Z = 'twenty-six'"})
    with pytest.raises(BrokenPlugin, match=r"mine 1\.0.*mine:Z.*no builtins.float but a str"):
        NUMBERS.load("zed", float)


def test_a_name_that_two_give_is_refused_and_both_are_named(install: Install) -> None:
    install("first", "1.0", {GROUP: {"zed": "first:Z"}}, {"first": "Z = 1.0"})
    install("second", "2.0", {GROUP: {"zed": "second:Z", "two": "second:Z"}}, {"second": "Z = 2.0"})
    with pytest.raises(InvalidInput, match=r"second 2\.0 and first 1\.0; uninstall"):
        NUMBERS.load("zed", float)
    with pytest.raises(InvalidInput, match=r"undertone itself and second 2\.0"):
        NUMBERS.load("two", float)
    assert NUMBERS.names().count("two") == 1
    assert NUMBERS.load("two", float, unasked=True) > 6
    assert NUMBERS.load("one", float) > 3


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.group)
def test_everything_that_is_registered_as_built_in_is_there(point: ExtensionPoint) -> None:
    assert point.group.startswith("undertone.")
    for target, summary in point.built_in.values():
        module, _, name = target.partition(":")
        assert hasattr(import_module(module), name), target
        assert summary


def test_extension_points_import_none_of_what_they_name() -> None:
    code = "import sys, store.extensions as e; e.DATASETS.names(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"torch", "ray", "pipelines.datasets.fma", "scipy"}.isdisjoint(loaded.split())


def test_what_a_plug_in_raises_is_told_as_its_own_and_what_is_built_in_is_ours(install: Install) -> None:
    install("my-numbers", "1.0.3", {GROUP: {"zed": "mine:Z"}}, {"mine": "Z = 26.0"})
    with (
        pytest.raises(BrokenPlugin, match=r"'zed' of my-numbers 1\.0\.3 failed \(KeyError: 'k'\)"),
        NUMBERS.called("zed"),
    ):
        raise KeyError("k")
    with pytest.raises(KeyError), NUMBERS.called("two"):
        raise KeyError("k")
    with pytest.raises(MemoryError), NUMBERS.called("zed"):
        raise MemoryError
    with pytest.raises(NotFound), NUMBERS.called("zed"):
        raise NotFound("a file of the user's")


def test_names_that_no_option_can_hold_are_not_listed(install: Install) -> None:
    names = {"a,b": "mine:Z", "a:b": "mine:Z", "a b": "mine:Z", "zed": "mine:Z"}
    install("mine", "1.0", {GROUP: names}, {"mine": "Z = 26.0"})
    assert NUMBERS.names() == ("two", "one", "zed")
