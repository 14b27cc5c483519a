"""Options that take the name of something built in or of a plug-in, and help texts that list both."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from store.extensions import ExtensionPoint


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
    return "\n".join(f"  {name:<{width}}{summary}" for name, (_, summary) in point.built_in.items())
