"""Render a report as one self-contained HTML file."""

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files

import jinja2
from markupsafe import Markup

from jobs.report.embedding import drawing_library, script_text, specification
from jobs.report.page import Page

TEMPLATE, STYLE, SCRIPT = "report.html.jinja", "report.css", "report.js"
PACKAGE = "jobs.report"


def render(page: Page, *, generator: str) -> str:
    """The page as HTML; `generator` says in its footer what made it."""
    scripts = [drawing_library()] if page.has_charts else []
    scripts.append(_own_file(SCRIPT))
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            page=page,
            style=_own_file(STYLE),
            scripts=scripts,
            script_hashes=" ".join(f"'{_policy_hash(script)}'" for script in scripts),
            specification=lambda chart: script_text(specification(chart)),
            generator=generator,
        )
    )


def _policy_hash(script: str) -> str:
    """By which the page's own policy lets this one script run, and no other."""
    return "sha256-" + base64.b64encode(sha256(script.encode()).digest()).decode()


def _own_file(name: str) -> Markup:
    """A file beside this module, to be copied into the page as it is."""
    return Markup(files(PACKAGE).joinpath(name).read_text(encoding="utf-8"))  # noqa: S704


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
