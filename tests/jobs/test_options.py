"""The options of a command come from its dataclass: name, type, default, help and range are said there."""

import ast
import inspect
import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pytest
from click.testing import CliRunner

import undertone as ut
from jobs.cli.derived import options_of
from jobs.cli.main import LazyGroup, undertone
from jobs.conversion import ConvertOptions
from jobs.dataset.options import AddRequest, SynthRequest
from jobs.demo.options import DemoOptions
from jobs.directions.options import DirectionOptions, ExportOptions, ImportOptions, SelectOptions
from jobs.evaluate.options import EvaluateOptions
from jobs.execution import Device, Execution, FitExecution
from jobs.extract.options import ExtractOptions
from jobs.generate.options import GenerateOptions, Several
from jobs.kmeans.options import KmeansOptions
from jobs.listen.options import ListenOptions
from jobs.option import Option, check_values, option_fields
from jobs.probe.options import ProbeOptions
from jobs.report.options import ReportOptions
from jobs.sweep.options import SweepOptions
from jobs.upkeep.options import TidyOptions
from pipelines.steering.edits import Manner, Steering
from store.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What several commands have."""

    colour: Annotated[Literal["red", "blue"], Option("Of the paint.")] = "blue"

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True)
class Painting(Shared):
    """Options of a command that only this test has."""

    wall: str
    title: Annotated[str, Option("What it shows.", metavar="TEXT")]
    brushes: Annotated[int, Option("How many.", least=1, most=9)] = 3
    hours: Annotated[float | None, Option("How long.", least=0)] = None
    names: Annotated[tuple[str, ...], Option("Who paints.", flag="--name")] = ()
    ages: Annotated[tuple[int, ...], Option("How old they are.", flag="--age")] = ()
    frame: Annotated[bool, Option("Frame it.")] = False
    signed: Annotated[bool, Option("Sign it.", flag="--signed/--unsigned")] = True
    sketch: Annotated[Path | None, Option("A file to begin with.")] = None
    note: str = "kept from the command line"
    metres: Annotated[float, Option("How wide.", least=0, exclusive=True)] = 2.0


def painted(*arguments: str) -> tuple[Painting | None, str]:
    """What a command line gives, and what the command prints."""
    got: list[Painting] = []

    @click.command()
    @click.argument("wall")
    @options_of(Painting)
    def paint(**values: Any) -> None:
        got.append(Painting(**values))

    result = CliRunner().invoke(paint, arguments)
    return (got[0] if got else None), result.output


def test_what_is_not_said_is_the_default_of_the_dataclass() -> None:
    assert painted("north", "--title", "Sea")[0] == Painting("north", "Sea")


def test_what_is_said_has_the_type_of_its_field() -> None:
    words = (
        "--brushes 2 --hours 1 --name Ann --name Bo --age 7 --frame --unsigned --sketch a.png --colour red"
    )
    assert painted("north", "--title", "Sea", *words.split())[0] == Painting(
        "north", "Sea", 2, 1.0, ("Ann", "Bo"), (7,), True, False, Path("a.png"), colour="red"
    )


def test_the_help_tells_names_choices_ranges_and_defaults_in_the_order_of_the_arguments() -> None:
    _, said = painted("--help")
    shown = [
        *("--title TEXT", "[required]", "--brushes INTEGER RANGE", "[default: 3; 1<=x<=9]"),
        *("--hours FLOAT RANGE", "--name TEXT", "--age INTEGER", "--frame", "--signed / --unsigned"),
        *("[default: signed]", "--sketch FILE", "--colour [red|blue]", "[default: blue]"),
    ]
    places = [said.find(text) for text in shown]
    assert -1 not in places
    assert places == sorted(places)
    assert "--note" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing option '--title'"),
        (["--title", "Sea", "--brushes", "10"], "10 is not in the range 1<=x<=9"),
        (["--title", "Sea", "--hours", "-1"], "-1.0 is not in the range x>=0"),
        (["--title", "Sea", "--hours", "nan"], "nan is not in the range x>=0"),
        (["--title", "Sea", "--metres", "0"], "0.0 is not in the range x>0"),
        (["--title", "Sea", "--metres", "inf"], "inf is not in the range x>0"),
        (["--title", "Sea", "--colour", "green"], "'green' is not one of 'red', 'blue'"),
    ],
)
def test_a_command_line_that_cannot_be_is_wrong_usage(words: Sequence[str], said: str) -> None:
    made, output = painted("north", *words)
    assert made is None
    assert said in output


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"brushes": 10}, "--brushes is 10; it must be 1 to 9."),
        ({"hours": -1.0}, "--hours is -1.0; it must be 0 or more."),
        ({"hours": float("nan")}, "--hours is nan; it must be 0 or more."),
        ({"metres": 0.0}, "--metres is 0.0; it must be more than 0."),
        ({"metres": float("inf")}, "--metres is inf; it must be more than 0."),
        ({"colour": "green"}, "--colour 'green' is none of red, blue."),
    ],
)
def test_python_gets_the_same_checks_as_a_sentence(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Painting("north", "Sea", **values)
    assert str(refused.value) == said


def test_a_field_may_explain_a_shared_option_anew_and_keeps_its_place() -> None:
    @dataclass(frozen=True, slots=True)
    class Drawing(Execution):
        paper: Annotated[str, Option("To draw on.")] = ""
        _: KW_ONLY
        device: Annotated[Device, Option("Anew.")] = "auto"

    texts = {field.name: option.help for field, _, option in option_fields(Drawing)}
    assert texts["device"] == "Anew."
    assert texts["engine"] == "Place of the work: ray, or inline in this process, without Ray."
    assert list(texts)[:3] == ["paper", "device", "engine"]
    assert Drawing("thick").paper == "thick"


@pytest.mark.parametrize(
    ("record", "arguments"),
    [
        (Execution(), ["extract", "music.store", "songs"]),
        (Execution(), ["sweep", "music.store", "first-look"]),
        (Execution(), ["evaluate", "music.store"]),
        (FitExecution(), ["probe", "music.store", "songs", "--labels", "FROM clips"]),
        (FitExecution(), ["kmeans", "music.store", "songs", "--labels", "FROM clips"]),
        (FitExecution(), ["directions", "music.store", "songs", "--labels", "FROM clips"]),
    ],
)
def test_where_work_runs_is_preset_alike_by_every_command(
    record: Execution | FitExecution, arguments: list[str]
) -> None:
    assert isinstance(undertone, LazyGroup)
    name, command, rest = undertone.resolve_command(click.Context(undertone), arguments)
    given = command.make_context(name, rest).params
    assert asdict(record).items() <= given.items()


def spelled(command: click.Command) -> set[str]:
    """The options of a command and of all below it."""
    found = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        below = [command.get_command(context, name) for name in command.list_commands(context)]
        found |= {name for one in below if one is not None for name in spelled(one)}
    return found


def test_every_option_that_a_message_names_is_one_of_a_command() -> None:
    of_marimo = {"--store", "--headless", "--host", "--token", "--token-password-file"}
    of_css = {"--ink", "--paper", "--soft"}
    known = spelled(undertone) | {"--help"} | of_marimo | of_css
    wrong = []
    packages = ("analysis", "jobs", "pipelines", "store")
    for path in [path for package in packages for path in (ROOT / package).rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        if "--" not in text:
            continue
        tree = ast.walk(ast.parse(text))
        nodes = [node for node in tree if isinstance(node, ast.Constant | ast.Expr)]
        described = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
                wrong += [(path.name, one) for one in OPTION.findall(node.value) if one not in known]
    assert wrong == []


RENAMED = {
    "layer": "place",
    "alphas": "alpha", "format_name": "format", "methods": "method", "prompts": "texts",
    "reduce": "reductions", "schedules": "schedule",
}  # fmt: skip
"""Options that Python's arguments call otherwise."""


ALSO_IN_PYTHON: list[tuple[type[Any], Any]] = [
    (AddRequest, ut.add_dataset),
    (ConvertOptions, ut.convert),
    (DemoOptions, ut.demo),
    (DirectionOptions, ut.directions),
    (EvaluateOptions, ut.evaluate),
    (ExportOptions, ut.export_directions),
    (ExtractOptions, ut.extract),
    (GenerateOptions, ut.generate_into),
    (GenerateOptions, ut.generate_page),
    (ImportOptions, ut.import_directions),
    (KmeansOptions, ut.kmeans),
    (ListenOptions, ut.export_listening_test),
    (ProbeOptions, ut.probe),
    (ReportOptions, ut.report),
    (SelectOptions, ut.stored_directions),
    (SelectOptions, ut.superposition),
    (Several, ut.generate_page),
    (SweepOptions, ut.sweep),
    (SynthRequest, ut.synthesize_dataset),
    (TidyOptions, ut.Store.tidy),
]


@pytest.mark.parametrize(("options", "function"), ALSO_IN_PYTHON)
def test_python_has_an_argument_for_every_option(options: type[Any], function: Any) -> None:
    known = inspect.signature(function).parameters.keys()
    wanted = {field.name for field, _, option in option_fields(options) if not option.short}
    assert {name for name in wanted if name not in known and RENAMED.get(name) not in known} == set()


@pytest.mark.parametrize(("options", "function"), ALSO_IN_PYTHON)
def test_python_presets_what_the_command_presets(options: type[Any], function: Any) -> None:
    presets = {field.name: field.default for field, _, _ in option_fields(options)}
    said = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    named_otherwise = {"dtype", "engine"}  # Python works in its own process unless it is told otherwise
    both = (presets.keys() & said.keys()) - named_otherwise
    alike = [name for name in both if type(said[name]) is type(presets[name])]
    assert {name: said[name] for name in alike} == {name: presets[name] for name in alike}


@pytest.mark.parametrize("record", [Manner, Steering])
def test_an_edit_is_preset_as_the_command_presets_it(record: type[Any]) -> None:
    presets = {one.name: one.default for one in fields(GenerateOptions)}
    shared = [one for one in fields(record) if one.name in presets and one.default is not MISSING]
    assert {one.name: one.default for one in shared} == {one.name: presets[one.name] for one in shared}
    assert len(shared) >= 2


def test_an_option_with_a_value_comes_from_a_dataclass() -> None:
    """Only flags by which a command does something else are spelled beside the command."""
    shared = {"options.py", "derived.py", "main.py"}
    loose = []
    for path in sorted((ROOT / "jobs/cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option":
                flag = any(word.arg == "is_flag" for word in node.keywords)
                loose += [] if flag or path.name in shared else [f"{path.name}:{node.lineno}"]
    assert loose == []


def test_a_command_is_at_most_sixty_lines() -> None:
    assert {name: lines for name, lines in lengths(undertone, "").items() if lines > 60} == {}


def lengths(command: click.Command, name: str) -> dict[str, int]:
    """Lines of a command, its options and help text included, and of all below it."""
    if not isinstance(command, click.Group):
        assert command.callback is not None
        return {name: len(inspect.getsource(command.callback).splitlines())}
    context = click.Context(command)
    below = {one: command.get_command(context, one) for one in command.list_commands(context)}
    return {
        key: lines
        for one, each in below.items()
        if each is not None
        for key, lines in lengths(each, f"{name} {one}").items()
    }
