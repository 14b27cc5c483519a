"""`undertone extract`: labelled audio → codec tokens → activations of every layer → shards of a run."""

from dataclasses import fields
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import dataset_argument, format_option
from jobs.extract.options import ExtractOptions
from jobs.extract.prices import Prices
from jobs.terminal.results import print_result


@click.command()
@click.argument("store")
@dataset_argument
@options_of(ExtractOptions)
@click.option("--dry-run", is_flag=True, help="Print bytes, objects, requests, time and dollars, and stop.")
@options_of(Prices)
@format_option
def extract(dry_run: bool, format_: str, **values: Any) -> int:
    """Stream a dataset through a model and store the activations of every layer.

    Running the same command again resumes: only what is not committed is computed. Codec tokens are
    stored once and reused by every later run over the same clips.

    \b
    Examples:
      undertone extract music.store songs
      undertone extract music.store songs --model facebook/musicgen-small \\
        --sites resid,attn,mlp --dry-run
      undertone extract music.store songs --reduce frames --dry-run \\
        --price-gpu-hour 2.5 --months 6
      undertone extract music.store songs --layers 4-8 --reduce mean,segments \\
        --segments 10
      undertone extract music.store songs --retry-failed
      undertone extract s3://bucket/music songs --address auto --device cuda \\
        --workers 8 --dtype bf16
    """
    prices = Prices(**{field.name: values.pop(field.name) for field in fields(Prices)})
    options = ExtractOptions(**values)
    if dry_run:
        from jobs.extract.bill import describe_extraction, in_words

        bill = describe_extraction(options, prices)
        print_result(bill if format_ == "json" else in_words(bill), format_)
        return 0
    from jobs.extract.running import run_extraction

    summary = run_extraction(options)
    print_result(summary, format_)
    return 0 if summary["complete"] else 1
