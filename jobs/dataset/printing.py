"""Print what a dataset that was just made holds: its labels counted by value and split, and what to know."""

import unicodedata
from collections.abc import Mapping
from typing import Any

import click

from jobs.terminal.results import print_result
from jobs.terminal.text import wrapped

SHOWN_VALUES = 16
_INVISIBLE = ("Cf", "Cc", "Zl", "Zp")
"""Unicode's categories of formats, controls and breaks."""


def print_added(added: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the summary of `add_dataset`, or of a rendered dataset."""
    summary = dict(added)
    if as_json:
        print_result(summary, "json")
        return
    columns: list[str] = summary.pop("columns")
    labels: dict[str, dict[str, Any]] = summary.pop("labels")
    notes: list[str] = [*filter(None, [summary.pop("notes")]), *summary.pop("findings")]
    print_result({key: value for key, value in summary.items() if value is not None}, "text")
    counted = [
        name
        for name in columns
        if 1 < len(labels.get(name, ())) <= SHOWN_VALUES and "None" not in labels[name]
    ]
    for name in counted:
        _print_counts(name, labels[name])
    if others := [name for name in columns if name not in counted]:
        click.echo(wrapped(f"\nFurther labels: {', '.join(map(shown, others))}"))
    for note in notes:
        click.echo(wrapped(f"\nNote: {note}"))


def _print_counts(column: str, counts: dict[str, Any]) -> None:
    splits = sorted({split for row in counts.values() for split in row})
    names = {value: shown(value) for value in counts}
    heads = [shown(split) for split in splits]
    width = max(len(shown(column)), *map(len, names.values()))
    widths = [max(12, len(head) + 2) for head in heads]
    click.echo(f"\n{shown(column):<{width}}" + "".join(map(str.rjust, heads, widths)))
    for value, row in counts.items():
        cells = (f"{row.get(split, 0):,}" for split in splits)
        click.echo(f"{names[value]:<{width}}" + "".join(map(str.rjust, cells, widths)))


def shown(name: str) -> str:
    """A label as it is; in quotes, with escapes, where it holds what no reader sees."""
    if not unicodedata.is_normalized("NFC", name):
        return ascii(name)
    return name if name and name == _visible(name) else repr(name)


def _visible(name: str) -> str:
    """What is seen of a text in a line: no blanks around it, one between words."""
    letters = (letter for letter in name if unicodedata.category(letter) not in _INVISIBLE)
    return " ".join("".join(letters).split())
