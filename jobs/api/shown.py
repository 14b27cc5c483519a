"""Text and HTML representations of the records of the Python API."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from jobs.terminal.text import printable

MOST_SHOWN = 10
"""Of a list; how many more there are is said."""


def listed(names: Sequence[Any], *, most: int = MOST_SHOWN, none: str = "none") -> str:
    """Names joined by commas, long lists cut."""
    shown = [printable(str(one)) for one in names[:most]]
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*shown, *more]) or none


def ranges(numbers: Iterable[int]) -> str:
    """Sorted numbers as ranges: "0–3, 7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def lines(title: str, values: Mapping[str, str]) -> str:
    """A title, then aligned names and values."""
    width = max(map(len, values), default=0)
    rest = [f"  {name:<{width}}  {value}" for name, value in values.items()]
    return "\n".join([title, *rest])


def html_lines(title: str, values: Mapping[str, str]) -> str:
    """The same as a table of two columns."""
    left = 'style="text-align:left"'
    rows = "".join(
        f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(printable(value))}</td></tr>"
        for name, value in values.items()
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"


def html_table(names: Sequence[str], rows: Iterable[Sequence[str]], *, note: str = "") -> str:
    """A table with a header; every text is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(printable(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    below = f"<p>{escape(note)}</p>" if note else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
