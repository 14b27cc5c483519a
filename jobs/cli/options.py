"""Options that have no dataclass: how a result is printed, and whether anything is done at all."""

import click

format_option = click.option(
    "--format", "format_", default="text", show_default=True, type=click.Choice(["text", "json"]),
    help="Of the result on standard output.",
)  # fmt: skip
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would happen, and change nothing.",
)  # fmt: skip
