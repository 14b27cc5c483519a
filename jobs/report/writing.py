"""Write the report of a store as one self-contained HTML file."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.report.options import ReportOptions
from jobs.user_files import check_output
from store.errors import InvalidInput, redacted

if TYPE_CHECKING:
    from jobs.report.page import Page
    from store.opening import Store

ENDINGS = (".html", ".htm")


def write_report(options: ReportOptions) -> None:
    """Write the report of a store to a file, whose folder must exist.

    Raises:
        NotFound: nothing is there to report; the message names the command to run next. Or there is no
            folder to write into.
        InvalidInput: the layer is not of the form SITE:LAYER, or the file is of another kind than HTML.
    """
    from jobs.report.subjects import parse_place
    from store.opening import open_store

    check_report_name(options.output)
    place = parse_place(options.layer) if options.layer else None
    opened = open_store(options.store)
    _, html = rendered_report(opened, options.store, run=options.run, place=place, figures=options.figures)
    options.output.write_text(html, encoding="utf-8")


def rendered_report(
    store: "Store",
    url: str,
    *,
    run: str | None,
    place: tuple[str, int] | None,
    figures: Sequence[str] = (),
) -> "tuple[Page, str]":
    """The report of a store, and its HTML; raises `NotFound` where nothing is there to report."""
    from jobs.report.building import build_page
    from jobs.report.rendering import render

    name = redacted(url).rstrip("/").rsplit("/", 1)[-1]
    page = build_page(store, run=run, place=place, name=name, figures=figures)
    return page, render(page, generator=f"undertone {version('undertone')}")


def check_report_name(output: Path) -> None:
    """Raise `InvalidInput` for a name that no report can have, `NotFound` where its folder is missing."""
    if output.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"{output} is no name for a report, which ends in {' or '.join(ENDINGS)}.")
    check_output(output)
