"""The page of SQL views and columns, from the comments that the catalog itself carries."""

import tempfile
from pathlib import Path

from docs.generators.example_store import example_catalog
from docs.generators.markdown import code, escaped, table
from store.catalog.query import View, describe_views
from store.results.views import RESULT_VIEWS

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
