"""The pages of SQL views and of the store format, from what the store itself declares."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.generators.markdown import ROOT, code, escaped, table
from store.catalog.catalog import refresh_catalog
from store.catalog.query import View, describe_views
from store.datasets import add_dataset
from store.opening import open_store
from store.records import Clip
from store.results.parts import write_results
from store.results.schemas import TABLES
from store.results.table import Table
from store.results.views import RESULT_VIEWS


def example_catalog(folder: Path, labels: Sequence[str] = ()) -> Path:
    """The catalog of a store below `folder` with every view, all values NULL; its clip has these labels."""
    store = open_store(folder / "example.store", create=True)
    if labels:
        clip = Clip(
            "0" * 16, "a.wav", 0.0, 4.0, "group", "train", "0" * 64, 0.0, dict.fromkeys(labels, "text")
        )
        add_dataset(store.objects, "songs", {"format": "folder"}, [clip], [])
    for kind, declared in TABLES.items():
        write_results(store, kind, {"kind": kind}, declared.of([declared.row()]))
    return refresh_catalog(store)


HEAD = """# SQL views and columns

What [`undertone sql`](cli.md#undertone-sql) can ask. `undertone sql STORE --format table` lists the same for
your store, with one column more in `clips` for each label of your datasets. Views that a command makes
are there after its first result. [Ask in SQL](../how-to/sql.md) shows how to use them.
"""


def views_page() -> str:
    """Every view with its columns."""
    with tempfile.TemporaryDirectory() as folder:
        views = describe_views(example_catalog(Path(folder)))
    return "\n".join([HEAD, *map(_section, views)])


def _section(view: View) -> str:
    made = RESULT_VIEWS.get(view.name)
    lines = [f"## {view.name}\n", escaped(view.comment[:1].upper() + view.comment[1:]) + ".\n"]
    if made:
        lines.append(f"Made by {code(made.command)}.\n")
    rows = ((code(one.name), code(one.type), escaped(one.comment)) for one in view.columns)
    return "\n".join([*lines, table(("column", "type", "meaning"), rows)])


PLACE = "<!-- tables of results -->"


def store_format_page() -> str:
    """The document with a table of columns for each kind of result."""
    text = (ROOT / "store/FORMAT.md").read_text(encoding="utf-8")
    before, place, after = text.partition(PLACE)
    if not place:
        raise ValueError(
            f"store/FORMAT.md has no line {PLACE}, which the tables of results take the place of"
        )
    return "".join([before, "\n".join(map(_columns_of, TABLES.values())), after])


def _columns_of(one: Table[Any]) -> str:
    rows = (
        (code(field.name), code(str(field.type)), escaped(one.columns[field.name].comment))
        for field in one.schema()
    )
    return f"### results/{one.kind}\n\n{table(('column', 'Arrow type', 'meaning'), rows)}"
