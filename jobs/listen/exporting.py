"""Write a listening test: a page, its sounds beside it, and the key into the store."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
from markupsafe import Markup
from numpy.typing import NDArray

from jobs.generate.records import opened_sound
from jobs.listen.options import ListenOptions
from jobs.listen.trials import ListeningTest, Stimulus, Trial, plan_test
from store.errors import InvalidInput
from store.opening import Store, open_store
from store.results.parts import write_results
from store.results.sounds import LISTENING_SOUNDS, ListeningSoundRow
from store.results.table import now


def export_test(options: ListenOptions) -> dict[str, Any]:
    """Write the page of a test into a folder that is new or empty; returns a summary.

    Raises:
        InvalidInput: something is in the folder already.
        NotFound: no such sweep, or a sound of it is gone.
    """
    folder = options.folder
    if folder.exists() and any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty; name a new folder, so that no old sound stays in a test.")
    opened = open_store(options.store)
    test = plan_test(
        opened, options.sweep, settings=options.settings, conditions=options.conditions, seed=options.seed
    )
    (folder / SOUNDS).mkdir(parents=True, exist_ok=True)
    for trial in test.trials:
        write_sounds(opened, trial, folder / SOUNDS)
    write_key(opened, test)
    (folder / "index.html").write_text(render_test(test), encoding="utf-8")
    return {
        "test": test.test_id,
        "sweep": test.sweep,
        "settings": len({trial.place.setting_id for trial in test.trials}),
        "trials": len(test.trials),
        "sounds": len(list((folder / SOUNDS).iterdir())),
        "page": str(folder / "index.html"),
    }


def write_key(store: Store, test: ListeningTest) -> str:
    """Keep the key; returns the name of the part."""
    table = LISTENING_SOUNDS.of(_key_rows(test))
    return write_results(store, LISTENING_SOUNDS.kind, {"test": test.test_id}, table)


def _key_rows(test: ListeningTest) -> Iterator[ListeningSoundRow]:
    for trial in test.trials:
        for stimulus in trial.stimuli:
            yield replace(
                trial.place,
                test_id=test.test_id,
                trial_id=trial.trial_id,
                kind=trial.kind,
                sound_id=stimulus.sound_id,
                role=stimulus.role,
                generation_id=stimulus.generation_id,
                created_at=now(),
            )


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
        "target": (trial.place.target or "").replace("+", " and ") if trial.kind == "choice" else None,
        "reference": trial.reference.sound_id if trial.reference else None,
        "sounds": [one.sound_id for one in trial.stimuli],
    }


def _embedded(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value).replace("<", "\\u003c")


def _own_file(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")


ANCHOR_HZ = 3500.0
"""Cut-off of the low-range anchor (ITU-R BS.1534-3)."""
ANCHOR_ORDER = 8
LOUDNESS = 0.1
"""Root mean square that every sound of a trial is brought to, where no peak forbids it."""
HIGHEST_PEAK = 0.99
SILENCE = 1e-5

Sound = NDArray[np.float64]
"""(samples,) or (samples, channels)"""


def write_sounds(store: Store, trial: Trial, folder: Path) -> None:
    """Write <sound_id>.wav for every sound of a trial, without any tags."""
    for sound_id, (samples, rate) in sounds_of(store, trial).items():
        soundfile.write(folder / f"{sound_id}.wav", samples, rate, subtype="PCM_16")


def sounds_of(store: Store, trial: Trial) -> dict[str, tuple[Sound, int]]:
    """Samples and rate by sound_id, of one length and loudness, ordered by a name that says nothing."""
    every = [*trial.stimuli, *([trial.reference] if trial.reference else [])]
    read = {one.sound_id: _read(store, one) for one in sorted(every, key=lambda one: one.sound_id)}
    length = min(len(samples) for samples, _ in read.values())
    levelled = _levelled({name: samples[:length] for name, (samples, _) in read.items()})
    return {name: (levelled[name], rate) for name, (_, rate) in read.items()}


def _read(store: Store, stimulus: Stimulus) -> tuple[Sound, int]:
    with opened_sound(store, stimulus.generation_id) as file:
        samples, rate = file.read(dtype="float64"), int(file.samplerate)
    return (low_passed(samples, rate) if stimulus.role == "anchor" else samples), rate


def low_passed(samples: Sound, rate: int) -> Sound:
    """The anchor: nothing above 3.5 kHz, without a delay."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(ANCHOR_ORDER, min(ANCHOR_HZ, 0.49 * rate), fs=rate, output="sos")
    return np.asarray(sosfiltfilt(sections, samples, axis=0))


def _levelled(sounds: Mapping[str, Sound]) -> dict[str, Sound]:
    """All equally loud, and all quieter where the peak of one would clip; silence stays silence."""
    gains = {name: _gain(samples) for name, samples in sounds.items()}
    peak = max(float(np.abs(samples).max(initial=0.0)) * gains[name] for name, samples in sounds.items())
    common = min(1.0, HIGHEST_PEAK / peak) if peak > 0 else 1.0
    return {name: samples * gains[name] * common for name, samples in sounds.items()}


def _gain(samples: Sound) -> float:
    loudness = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    return LOUDNESS / loudness if loudness > SILENCE else 1.0
