"""One `undertone generate` from options to a sound, rows and perhaps a run."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from jobs.extraction.planning import DTYPES
from jobs.extraction.spec import parse_reductions, parse_sites
from jobs.generation.automatic import find_strengths
from jobs.generation.captured_run import write_captured
from jobs.generation.edit_options import ChosenEdits, choose_edits
from jobs.generation.inputs import read_melody, read_prompt
from jobs.generation.records import write_audio, write_audio_file, write_generations
from jobs.generation.requests import request_of
from jobs.generation.specification import GenerationSpec
from pipelines.capture import CaptureSpec
from store import open_store
from store.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from jobs.generation.options import GenerateOptions
    from pipelines.generation import GeneratedAudio
    from pipelines.musicgen import MusicGenModel
    from store.opening import Store

DEFAULT_SECONDS = 10.0
ENDINGS = (".flac", ".wav")


def run_generation(options: GenerateOptions) -> dict[str, Any]:
    """Generate one sound, write it where the user wants it and into the store; returns a summary.

    Raises:
        UndertoneError: Something that was asked for is not possible; nothing is written then.
    """
    _check_output(options)
    store = open_store(options.store, create=True)
    chosen = choose_edits(store, options) if options.directions else ChosenEdits((), {}, frozenset())
    model = _load(options, chosen)
    spec, sounds = _specify(options, model)
    capture = _capture_spec(options, model)
    summary: dict[str, Any] = {}
    if chosen.automatic:
        twin = _generate(model, spec, chosen, sounds, None)
        _keep(store, spec, twin)
        found = find_strengths(model, spec, chosen, twin, target_prompt=options.target_prompt)
        spec = replace(spec, edits=found.edits)
        summary = {"alphas": [edit.alpha for edit in found.edits]} | (
            {} if found.cap is None else {"cap": found.cap}
        )
        if not any(edit.alpha for edit in found.edits):
            summary["note"] = "nothing is steered: all strengths found are 0"
    elif chosen.edits:
        spec = replace(spec, edits=chosen.edits)
    generated = _generate(model, spec, chosen, sounds, capture)
    _keep(store, spec, generated)
    write_audio_file(options.output, spec, generated)
    if capture is not None:
        summary["run"] = write_captured(store, model, capture, [(spec, generated)])
    return {
        "generation": spec.generation_id,
        "twin": spec.twin().generation_id if spec.edits else "",
        "output": str(options.output),
        "seconds": round(len(generated.audio) / generated.sample_rate, 3),
        "model": model.info.name + (" (random weights)" if model.info.random_weights else ""),
        **summary,
    }


def _check_output(options: GenerateOptions) -> None:
    if options.output.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"{options.output} has no ending that is known; write {' or '.join(ENDINGS)}.")
    if not options.output.absolute().parent.is_dir():
        raise NotFound(f"The folder of {options.output} does not exist; make it first.")


def _load(options: GenerateOptions, chosen: ChosenEdits) -> MusicGenModel:
    import torch

    from pipelines.musicgen import load_musicgen

    names = {vector.model for vector in chosen.vectors.values()}
    if options.model is None and len(names) > 1:
        raise InvalidInput(f"The directions are of several models ({', '.join(sorted(names))}): say --model.")
    name = options.model or (names.pop() if names else "pocket")
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_musicgen(name, device=device, dtype=DTYPES[options.dtype])


def _specify(
    options: GenerateOptions, model: MusicGenModel
) -> tuple[GenerationSpec, dict[str, np.ndarray[Any, Any]]]:
    """The specification without edits, and the arrays that its request needs."""
    from pipelines.generation import encode_prompt

    info = model.info
    sounds: dict[str, np.ndarray[Any, Any]] = {}
    prompt = melody = None
    if options.audio_prompt is not None:
        prompt, samples = read_prompt(
            options.audio_prompt,
            start_seconds=options.audio_start,
            seconds=options.audio_seconds,
            sample_rate=info.sample_rate,
        )
        sounds["prompt_codes"] = encode_prompt(model, samples)
    if options.melody is not None:
        melody, sounds["melody"] = read_melody(options.melody, sample_rate=info.sample_rate)
    spec = GenerationSpec(
        model=info.name,
        model_fingerprint=info.fingerprint,
        codec_fingerprint=info.codec_fingerprint,
        seconds=options.seconds or DEFAULT_SECONDS + (prompt.seconds if prompt else 0.0),
        text=options.prompt,
        random_state=options.seed,
        guidance=options.guidance,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        dtype=DTYPES[options.dtype],
        audio_prompt=prompt,
        melody_sha256=melody,
        rows=options.rows,
        steer_prompt=options.steer_prompt,
    )
    return spec, sounds


def _capture_spec(options: GenerateOptions, model: MusicGenModel) -> CaptureSpec | None:
    if options.capture is None:
        return None
    layers = tuple(range(model.info.layers))
    return CaptureSpec(parse_sites(options.capture), layers, parse_reductions(options.reduce))


def _generate(
    model: MusicGenModel,
    spec: GenerationSpec,
    chosen: ChosenEdits,
    sounds: dict[str, np.ndarray[Any, Any]],
    capture: CaptureSpec | None,
) -> GeneratedAudio:
    from pipelines.generation import generate

    request = request_of(spec, chosen.vectors, **sounds)
    with _progress("generate" if spec.edits else "unsteered") as progress:
        return generate(model, [request], capture=capture, progress=progress)[0]


def _keep(store: Store, spec: GenerationSpec, generated: GeneratedAudio) -> None:
    write_audio(store, spec, generated)
    write_generations(store, [(spec, generated)])


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    with click.progressbar(length=1000, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def advance(done: int, total: int) -> None:
            bar.update(done * 1000 // total - bar.pos)

        yield advance
