"""The page of a listening test: one HTML file with nameless sounds."""

import base64
import json
from hashlib import sha256
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from jobs.listen.trials import ListeningTest, Trial

PACKAGE = "jobs.listen"
FORMAT, VERSION = "undertone-listening", 1
SOUNDS = "sounds"
"""Folder beside the page."""


def render_test(test: ListeningTest) -> str:
    """The page as HTML; a policy inside lets it run its own script and play the files beside it alone."""
    script = _own_file("listening.js")
    hashed = base64.b64encode(sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_own_file("listening.html.jinja")).render(
        style=Markup(_own_file("listening.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=f"sha256-{hashed}",
        test=Markup(_embedded(described(test))),  # noqa: S704
        trials=len(test.trials),
    )


def described(test: ListeningTest) -> dict[str, Any]:
    """What the page is told."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "test": test.test_id,
        "folder": SOUNDS,
        "trials": [_described_trial(trial) for trial in test.trials],
    }


def _described_trial(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.trial_id,
        "kind": trial.kind,
        "target": trial.place["target"].replace("+", " and ") if trial.kind == "choice" else None,
        "reference": trial.reference.sound_id if trial.reference else None,
        "sounds": [one.sound_id for one in trial.stimuli],
    }


def _embedded(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value).replace("<", "\\u003c")


def _own_file(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
