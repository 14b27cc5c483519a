"""Shell completion of runs, tags and datasets."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from store.errors import UndertoneError

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
