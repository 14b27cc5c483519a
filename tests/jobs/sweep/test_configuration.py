"""A sweep's file is checked whole before anything is done, and the shipped ones are legal."""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.effects.settings import Pair
from jobs.sweep.configuration import (
    SteeredConcept,
    find_sweep,
    parse_sweep,
    read_sweep,
    shipped_sweeps,
)
from jobs.sweep.grid import Grid, expand, read_pairs, setting_id_of
from store.errors import InvalidInput, NotFound

CLASSES = ("a:b", "jazz", "rock")


def test_every_shipped_sweep_can_be_read_and_asks_a_question() -> None:
    assert set(shipped_sweeps()) == {
        "first-look", "layer-ablation", "losses", "sites", "strength", "fusion", "interference", "damage",
        "text-alone",
    }  # fmt: skip
    for name, path in shipped_sweeps().items():
        assert read_sweep(path).name == name
        assert read_sweep(path).question.endswith("?")


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("", "needs a concept"),
        ("concepts = 3", "two brackets"),
        ("[[concepts]]\npairs = 'all'", "lacks name"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalpha = [1.0]", "no 'alpha'; it knows .*alphas"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalphas = ['strong']", "'strong' is neither"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalphas = [true]", "neither a number"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalphas = ['auto']\nkinds = ['add']", "interpolate"),
        ("audio_seconds = 0\n[[concepts]]\nname = 'style'", "length"),
        ("[[concepts]]\nname = 'style'\naudio = ['a.wav']", "table of lists"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalphas = [-1]", "-1 is not legal"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalphas = [nan]", "finite"),
        ("[[concepts]]\nname = 'style'\n[grid]\nalphas = []", "is empty"),
        ("[[concepts]]\nname = 'style'\n[grid]\nmethods = ['lda']", "no method 'lda'; methods are mse"),
        ("[[concepts]]\nname = 'style'\n[grid]\nmethods = ['diffmean:1']", "take a penalty"),
        ("[[concepts]]\nname = 'style'\n[grid]\nscalings = ['huge']", "choose from norm"),
        ("[[concepts]]\nname = 'style'\n[grid]\nschedules = ['sometimes']", "linear-up"),
        ("[[concepts]]\nname = 'style'\n[grid]\nmonitors = ['often']", "'often' cannot be read"),
        ("[[concepts]]\nname = 'style'\n[grid]\nmonitors = ['1.5']", "threshold lies above 0 and up to 1"),
        ("[[concepts]]\nname = 'style'\n[grid]\nlayers = ['last']", "whole numbers and lists"),
        ("random_states = [1, 1]\n[[concepts]]\nname = 'style'", "random_states: 1 stands there twice"),
        ("random_states = []\n[[concepts]]\nname = 'style'", "random_states is empty"),
        ("[[concepts]]\nname = 'style'\ntexts = ['{class}', '{class}']", "style texts: '{class}' .* twice"),
        ("[[concepts]]\nname = 'style'\npairs = ['a:b', 'a:b']", "pairs: 'a:b' stands there twice"),
        ("[[concepts]]\nname = 'style'\naudio.a = ['x', 'x']", "audio of 'a': 'x' stands there twice"),
        ("[[concepts]]\nname = 's'\n[[concepts]]\nname = 's'", "concepts.*'s' stands there twice"),
        ("[[concepts]]\nname = 's'\n[grid]\nalphas = [0.5, 0.5]", "alphas: 0.5 stands there twice"),
        ("[[concepts]]\nname = 's'\n[grid]\nlayers = [[1, 2], [1, 2]]", r"\[1, 2\] stands there twice"),
        ("[[concepts]]\nname = 's'\n[grid]\nlayers = [[1, 1]]", r"\[1, 1\]: 1 stands there twice"),
        (
            "[[concepts]]\nname = 's'\n[grid]\nalphas = [0.5, -0.5]",
            "-0.5 is negative.*steers away.*away = true",
        ),
        ("[[concepts]]\nname = 's'\ntexts = ['slow', '{class}']", "'slow' and '{class}' do not go together"),
        (
            "cap_auto = true\n[[concepts]]\nname = 's'\ntexts = ['slow']\n[grid]\nalphas = ['auto']",
            "'slow' asks for no class.*cap_auto = false",
        ),
        ("seconds = 0\n[[concepts]]\nname = 'style'", "length"),
        ("[[concepts]\nname = 'style'", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_cure(toml: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(toml)
    with pytest.raises(InvalidInput, match=complaint):
        read_sweep(path)


def test_texts_without_a_class_can_be_steered_with_strengths_that_nothing_caps() -> None:
    sweep = parse_sweep({"name": "x", "concepts": [{"name": "s", "texts": ["slow music"]}], "cap_auto": True})
    assert not sweep.concepts[0].asks
    assert SteeredConcept("s", texts=("", "{class}")).asks


def test_strengths_below_zero_are_steered_where_it_is_said() -> None:
    assert Grid(alphas=(-0.5, 0.5), away=True).alphas == (-0.5, 0.5)


def test_a_name_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(NotFound, match=r"layer-ablation.*Did you mean losses"):
        find_sweep("loses")


def test_layers_are_numbers_and_lists_of_numbers() -> None:
    sweep = parse_sweep({"name": "x", "concepts": [{"name": "s"}], "grid": {"layers": [0, [2, 3]]}})
    assert sweep.grid.layers == ((0,), (2, 3))


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("rock:jazz", Pair("style", "rock", ("jazz",))),
        ("a:b:jazz", Pair("style", "a:b", ("jazz",))),
        ("rock:a:b", Pair("style", "rock", ("a:b",))),
        ("rock:jazz+a:b", Pair("style", "rock", ("jazz", "a:b"))),
    ],
)
def test_pairs_are_read_whatever_classes_are_called(text: str, pair: Pair) -> None:
    assert read_pairs("style", (text,), CLASSES) == [pair]


@pytest.mark.parametrize("text", ["rock", "rock:rock", "rock:pop", ":jazz", "rock:jazz+rock"])
def test_a_pair_of_other_classes_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InvalidInput, match="jazz, rock"):
        read_pairs("style", (text,), CLASSES)


def test_all_pairs_are_every_ordered_one() -> None:
    found = read_pairs("style", ("all",), CLASSES)
    assert len(found) == 6
    assert len(set(found)) == 6


def test_a_grid_is_the_product_of_its_lists() -> None:
    grid = Grid(methods=("mse", "diffmean"), alphas=(0.1, 0.5, 1.0), schedules=("constant", "every:2"))
    pairs = [Pair("style", "rock", ("jazz",)), Pair("style", "jazz", ("rock",))]
    settings = expand(grid, pairs, {"resid": [0, 1, 2]})
    assert len(settings) == 2 * 3 * 2 * 3 * 2
    assert len({setting_id_of(one) for one in settings}) == len(settings)


def test_a_layer_that_the_run_lacks_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"layer 7; it has \[0, 1\]"):
        expand(Grid(layers=((7,),)), [Pair("style", "rock", ("jazz",))], {"resid": [0, 1]})
    with pytest.raises(InvalidInput, match="no means of site 'attn'; it has resid"):
        expand(Grid(sites=("attn",)), [Pair("style", "rock", ("jazz",))], {"resid": [0, 1]})


@pytest.mark.parametrize("content", [None, "nope = 3"])
def test_a_sweep_that_cannot_be_is_refused_before_torch_and_ray_are_loaded(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_text(content)
    code = (
        "import atexit, sys; from jobs.cli.main import main; "
        "atexit.register(lambda: print({'torch', 'ray'} & {*sys.modules})); main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "sweep", str(tmp_path / "s"), str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "set()\n")
    assert ("There is no file" if content is None else "has no 'nope'") in result.stderr
