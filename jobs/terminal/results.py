"""Print one result: as aligned lines for people, or as JSON for programs."""

import json
from collections.abc import Mapping
from typing import Any

import click

from jobs.terminal.text import wrapped


def print_result(values: Mapping[str, Any], format_: str) -> None:
    """Print a result as aligned lines, or as one JSON object."""
    if format_ == "json":
        click.echo(json.dumps(values))
        return
    width = max(map(len, values), default=0)
    for name, value in values.items():
        label = name.replace("_", " ")
        if isinstance(value, Mapping) and value:
            click.echo(f"{label:<{width}}")
            inner = max(map(len, value), default=0)
            for key, item in value.items():
                click.echo(wrapped(f"  {key:<{inner}}  {_shown(name, item)}", indent=inner + 4))
        else:
            click.echo(wrapped(f"{label:<{width}}  {_shown(name, value)}", indent=width + 2))


def _shown(name: str, value: Any) -> str:
    return readable_bytes(value) if name.endswith("bytes") else readable(value)


def readable(value: Any) -> str:
    """Format one value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(readable, value)) or "(none)"
    return "(none)" if value is None or value == {} else str(value)


def readable_bytes(count: float) -> str:
    """Format a number of bytes with decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
