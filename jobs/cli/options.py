"""Arguments and options that several commands share, their completion, and names of plug-ins in help."""

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from jobs.terminal.table_formats import TABLE_FORMATS
from store.errors import UndertoneError
from store.extensions import ExtensionPoint

LISTED_WIDTH = 78
"""Columns of a list in a help text, which is indented by two; nothing wraps it again."""
Names = Callable[[str], Sequence[str]]


def _runs(store: str) -> list[str]:
    from store.opening import open_store
    from store.tags import LATEST, read_tags

    opened = open_store(store)
    return [*opened.runs(), *read_tags(opened.objects), LATEST]


def _tags(store: str) -> list[str]:
    from store.opening import open_store
    from store.tags import read_tags

    return list(read_tags(open_store(store).objects))


def _datasets(store: str) -> list[str]:
    from store.opening import open_store

    return open_store(store).datasets()


def completer(names: Names) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Names of the store on the command line that begin like what was typed; none where it cannot be read."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        # Behind an option whose value is being typed, click has not given out the arguments yet.
        store = context.params.get("store") or next(iter(context.args), None)
        try:
            found = names(store) if store else ()
        except (UndertoneError, OSError):  # in the middle of a line there is no place for a message
            return []
        return [name for name in found if name.startswith(incomplete)]

    return complete


complete_runs, complete_tags, complete_datasets = completer(_runs), completer(_tags), completer(_datasets)
run_argument = click.argument("run", shell_complete=complete_runs)
tag_argument = click.argument("tag", shell_complete=complete_tags)
dataset_argument = click.argument("dataset", shell_complete=complete_datasets)


def optional_run_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """A RUN that may be left out."""
    return click.argument("run", required=False, shell_complete=complete_runs)(command)


class FiniteRange(click.FloatRange):
    """A number in a range; NaN, which compares with nothing, and infinity are in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; anything else is told with the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number


class ExtensionName(click.ParamType):  # type: ignore[type-arg]  # generic in some versions only
    """A choice among what is built in and what is installed, looked up when it is needed."""

    def __init__(self, point: ExtensionPoint, *others: str) -> None:
        self.name = point.what
        self.point = point
        self.others = others
        """Words that are legal, too, such as auto."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name as it was given; an unknown one is told with all that are known."""
        if value not in self.others and value not in self.point.names():
            self.fail(str(self.point.unknown(value, *self.others)), param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join((*self.others, *self.point.names()))}]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = (*self.others, *self.point.names())
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class PluginName(ExtensionName):
    """A name among those that are legal, of which only the plug-ins' need to be said."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The plug-ins that are installed."""
        found = [name for name in self.point.names() if name not in self.point.built_in]
        return f"[{'|'.join(found)}]" if found else "NAME"


class ExtensionNames(ExtensionName):
    """Several names, separated by commas; who reads them checks them, as they may say more than a name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it was given."""
        return value


def listed(point: ExtensionPoint) -> str:
    r"""The lines of a help text that say what is built in, for a paragraph that begins with \b."""
    width = max(map(len, point.built_in)) + 2
    further = " " * (width + 2)
    return "\n".join(
        textwrap.fill(f"  {name:<{width}}{summary}", LISTED_WIDTH, subsequent_indent=further)
        for name, (_, summary) in point.built_in.items()
    )


format_option = click.option(
    "--format", "format_", default="text", show_default=True, type=click.Choice(["text", "json"]),
    help="Format of the result on standard output: text for people, one JSON object for "
"programs.",
)  # fmt: skip
form_option = click.option(
    "--format", "form", default="table", show_default=True, help="How to print the result.",
    type=click.Choice(TABLE_FORMATS),
)  # fmt: skip
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would happen, and change nothing.",
)  # fmt: skip
