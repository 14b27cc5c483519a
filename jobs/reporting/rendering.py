"""From a page to one HTML file that needs no other: style sheet and drawings are inside, scripts nowhere."""

from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from jobs.reporting.page import Page

TEMPLATE, STYLE = "report.html.jinja", "report.css"
PACKAGE = "jobs.reporting"


def render(page: Page, *, generator: str) -> str:
    """The page as HTML; `generator` says in its footer what made it."""
    style = Markup(files(PACKAGE).joinpath(STYLE).read_text(encoding="utf-8"))  # noqa: S704 (our own file)
    return _environment().get_template(TEMPLATE).render(page=page, style=style, generator=generator)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(PACKAGE, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
