"""The page of the store format: `store/FORMAT.md` with the columns of all results, as they are declared."""

from docs.generators.markdown import code, escaped, table
from docs.generators.sources import ROOT
from store.results.schemas import TABLES
from store.results.table import Table

PLACE = "<!-- tables of results -->"


def store_format_page() -> str:
    """The document with a table of columns for each kind of result."""
    text = (ROOT / "store/FORMAT.md").read_text(encoding="utf-8")
    before, place, after = text.partition(PLACE)
    if not place:
        raise ValueError(
            f"store/FORMAT.md has no line {PLACE}, which the tables of results take the place of"
        )
    return "".join([before, "\n".join(map(_section, TABLES.values())), after])


def _section(one: Table) -> str:
    rows = ((code(name), code(str(kind)), escaped(comment)) for name, (kind, comment) in one.columns.items())
    return f"### results/{one.kind}\n\n{table(('column', 'Arrow type', 'meaning'), rows)}"
