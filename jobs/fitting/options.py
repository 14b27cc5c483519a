"""The options that every fit on a run has: labels, sites, layers and folds."""

from typing import Annotated

from jobs.fitting.user_tables import GivenTables
from jobs.option import Option

Labels = Annotated[str, Option("Query that gives clip_id and one label column or more.", metavar="SELECT")]
Tables = Annotated[
    GivenTables,
    Option(
        "Let the query read your CSV, Parquet or JSON file as table NAME.",
        flag="--table",
        metavar="NAME=PATH",
    ),
]
Sites = Annotated[
    str, Option("Sites of the run to read: all, or some such as embed, resid, attn, head, xattn, mlp.")
]
Layers = Annotated[str, Option("Layers by number: all, 0,5,11 or 4-7.")]
Heads = Annotated[
    str,
    Option("Read attention heads of the site head one by one: all, or by number, 0,3.", metavar="HEADS"),
]
Folds = Annotated[int, Option("Parts that are held out in turn, cut by group.", least=2)]
