"""Keywords of the Python functions are those of the options: checked, explained, with one default."""

import inspect
import re
from pathlib import Path

import pytest

import undertone as ut
from jobs.api.keywords import options_from
from jobs.evaluate.options import EvaluateOptions
from jobs.extract.options import ExtractOptions

DOCUMENTED = [name for name in ut.__all__ if hasattr(getattr(ut, name), "__signature__")]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_keyword_is_explained_in_a_sentence(name: str) -> None:
    function = getattr(ut, name)
    text = inspect.getdoc(function) or ""
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY:
            assert re.search(
                rf"^    {one.name}: \S.{{8,}}\.$|^    {one.name}: [^\n]*\n {{8}}", text, re.MULTILINE
            ), one.name


def test_a_default_is_that_of_the_command_unless_python_has_its_own() -> None:
    arguments = inspect.signature(ut.extract).parameters
    options = ExtractOptions(store="s", dataset="d")
    assert arguments["batch_clips"].default == options.batch_clips
    assert arguments["reductions"].default == options.reduce
    assert (arguments["engine"].default, options.engine) == ("inline", "ray")
    asked = EvaluateOptions(store="s", dataset="d", judge=True)
    assert inspect.signature(ut.evaluate).parameters["template"].default == asked.template


def test_a_misspelt_keyword_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        TypeError, match=r"extract\(\) got an unexpected keyword argument 'layer'; did you mean 'layers'"
    ):
        ut.extract("nowhere", "songs", layer=3)  # type: ignore[call-arg]


def test_what_is_about_runs_is_refused_for_arrays() -> None:
    with pytest.raises(TypeError, match="'layers' is about runs"):
        ut.probe([[0.0], [1.0]], ["a", "b"], layers=[1])  # type: ignore[call-overload]


def test_the_name_of_a_file_is_a_path_for_the_options() -> None:
    named = options_from(ExtractOptions, {"metrics_file": "m.prom"}, store="s", dataset="d")
    assert named.metrics_file == Path("m.prom")
    assert options_from(ExtractOptions, {"metrics_file": None}, store="s", dataset="d").metrics_file is None
