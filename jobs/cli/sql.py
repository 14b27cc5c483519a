"""`undertone sql`: one SELECT over the catalog of a store, or a shell for many."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.sql.options import SqlOptions
from jobs.sql.running import run_sql


@click.command()
@click.argument("store")
@click.argument("query", required=False)
@options_of(SqlOptions)
def sql(**values: Any) -> None:
    """Run one SELECT over the catalog of STORE; without QUERY, open a shell on a terminal.

    The shell lists tables, explains each, completes names with Tab and keeps a history. Without QUERY, but
    with --format (table, csv, json …) all tables and columns are listed.

    The statement can read these tables and nothing else: no files, no settings, no changes. A damaged file of
    the store takes away the tables that need it; the others answer, with a note.

    \b
    Examples:
      undertone sql music.store
      undertone sql music.store --format table
      undertone sql music.store \\
        "SELECT split, genre, count(*) FROM clips GROUP BY ALL"
      undertone sql music.store --activations songs:resid.mean:12=x \\
        "SELECT b.clip_id, \\
           array_cosine_similarity(a.vector, b.vector) AS similarity \\
         FROM x a, x b WHERE a.clip_id = '9c1e0b5d2f7a4e38' \\
         ORDER BY similarity DESC LIMIT 5"
    """
    run_sql(SqlOptions(**values))
