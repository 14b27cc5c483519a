"""Help texts of the commands as Markdown: lists and examples become blocks of code."""

import inspect
import textwrap

import click

from docs.generators.markdown import escaped

KEPT_LINES = "\b"
"""Click's mark of a paragraph whose lines stay as they are."""


def show_examples(command: click.Command) -> None:
    """Rewrite the help of a command and of all below it as Markdown; once, as it stays rewritten."""
    command.help = as_markdown(command.help or "")
    for option in command.params:
        if isinstance(option, click.Option):
            option.help = escaped(option.help or "")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                show_examples(below)


def as_markdown(text: str) -> str:
    """A help text with click's marks as Markdown."""
    return "\n\n".join(_paragraph(each) for each in inspect.cleandoc(text).split("\n\n"))


def _paragraph(text: str) -> str:
    if not text.startswith(KEPT_LINES):
        return escaped(text)
    title, _, lines = text.removeprefix(KEPT_LINES).strip("\n").partition("\n")
    language = "bash" if title.startswith("Example") else "text"
    return f"**{escaped(title)}**\n\n```{language}\n{textwrap.dedent(lines)}\n```"
