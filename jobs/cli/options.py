"""Options that several commands share, and the one way results are printed."""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

import click

from jobs.terminal.text import wrapped

engine_option = click.option(
    "--engine", default="ray", show_default=True, type=click.Choice(["ray", "inline"]),
    help="inline works in this process, without Ray.",
)  # fmt: skip
address_option = click.option(
    "--address", default="local", show_default=True,
    help="local starts a private Ray on this machine; auto joins the cluster of this node; or HOST:PORT.",
)  # fmt: skip
root_option = click.option(
    "--root", "roots", multiple=True, metavar="NAME=PATH",
    help="Where the audio of dataset NAME is on the machines that work: a folder or a URL.",
)  # fmt: skip
format_option = click.option(
    "--format", "format_", default="text", show_default=True, type=click.Choice(["text", "json"]),
    help="Of the result on standard output.",
)  # fmt: skip
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would happen, and change nothing.",
)  # fmt: skip
fit_engine_option = click.option(
    "--engine", default="auto", show_default=True, type=click.Choice(["auto", "inline", "ray"]),
    help="auto works in this process where that takes seconds, and on Ray where it takes longer.",
)  # fmt: skip
TableFormat = Literal["table", "csv", "csv-safe", "json", "parquet"]
TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
"""How a table is written: for eyes, or for programs; csv-safe holds nothing that a spreadsheet would run."""
DEVICES = click.Choice(["auto", "cpu", "cuda"])
DTYPES = click.Choice(["fp32", "bf16", "fp16"])
device_option = click.option(
    "--device", default="auto", show_default=True, type=DEVICES, help="auto takes a GPU where there is one.",
)  # fmt: skip
dtype_option = click.option(
    "--dtype", default="fp32", show_default=True, type=DTYPES,
    help="Of the language model; EnCodec always runs in fp32.",
)  # fmt: skip
model_workers_option = click.option(
    "--workers", type=int, help="Processes that hold a model; one per GPU or CPU core by default.",
)  # fmt: skip
threads_option = click.option("--threads", default=1, show_default=True, help="Torch threads per worker.")
gpus_per_worker_option = click.option(
    "--gpus-per-worker", default=1.0, show_default=True, help="A fraction lets workers share a GPU.",
)  # fmt: skip
shared_filesystem_option = click.option(
    "--shared-filesystem", is_flag=True, help="The store's folder is the same on every node.",
)  # fmt: skip
workers_option = click.option("--workers", type=int, help="Tasks at once; as many as CPU cores by default.")
labels_option = click.option(
    "--labels", required=True, metavar="SELECT",
    help="Query that gives clip_id and one label column or more.",
)  # fmt: skip
table_option = click.option(
    "--table", "tables", multiple=True, metavar="NAME=PATH",
    help="Let the query read your CSV, Parquet or JSON file as table NAME.",
)  # fmt: skip


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
