"""Run one `undertone generate`: from options to sound, rows and perhaps a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobs.execution import resolved_device
from jobs.extract.planning import DTYPES
from jobs.generate.captured_run import write_captured
from jobs.generate.edits import ChosenEdits, choose_edits, find_strengths
from jobs.generate.inputs import read_melody, read_prompt
from jobs.generate.records import (
    audio_key,
    read_sound,
    stored_generations,
    write_audio_file,
    write_generations,
)
from jobs.generate.requests import request_of
from jobs.generate.specification import GenerationSpec
from jobs.places import parse_reductions, parse_sites
from jobs.progress.reporting import stepped
from jobs.user_files import check_output
from pipelines.capture import CaptureSpec, check_capture
from pipelines.generation.sampling import Sampling
from pipelines.models.backends import with_backend
from pipelines.models.named import describe_model
from store import open_store
from store.errors import InvalidInput
from store.results.generated_audio import has_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from jobs.generate.options import GenerateOptions
    from pipelines.generation.generate import GeneratedAudio
    from pipelines.models.protocol import LoadedModel
    from store.opening import Store
    from store.records import ModelInfo

    Load = Callable[[GenerateOptions, str], LoadedModel]
    from pathlib import Path

    from jobs.generate.options import GenerateOptions

DEFAULT_SECONDS = 10.0


def run_generation(options: GenerateOptions, *, load: Load | None = None) -> dict[str, Any]:
    """Generate one sound, write it where the user wants it and into the store; returns a summary.

    `load` gives the model of a name, `load_model` by default.

    Raises:
        UndertoneError: Something that was asked for is not possible; nothing is written then.
    """
    check_options(options)
    store = open_store(options.store, create=not options.directions)
    chosen = choose_edits(store, options) if options.directions else ChosenEdits((), {}, frozenset())
    name = model_name(options, chosen)
    info = describe_model(name)
    info.require("generate")
    spec, sounds = _specify(options, info)
    capture = _capture_spec(options, info)
    if capture is None and not chosen.automatic:
        wanted = replace(spec, edits=chosen.edits)
        if wanted.generation_id in stored_generations(store):
            return _stored(store, wanted, options, info)
    model = (load or load_model)(options, name)
    codes = _encoded(model, sounds)
    summary: dict[str, Any] = {}
    if chosen.automatic:
        twin = _generate(model, spec, chosen, codes, None)
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
    generated = _generate(model, spec, chosen, codes, capture)
    _keep(store, spec, generated)
    if options.output is not None:
        write_audio_file(options.output, spec, generated.audio, generated.sample_rate)
    if capture is not None:
        summary["run"] = write_captured(store, model, capture, [(spec, generated)])
    if spec.edits and not has_sound(store.objects, audio_key(spec.twin().generation_id)):
        summary.setdefault("note", "the twin is not made yet; the same without --direction makes it")
    seconds = len(generated.audio) / generated.sample_rate
    return _summary(spec, options, info, seconds) | summary


def _summary(
    spec: GenerationSpec, options: GenerateOptions, info: ModelInfo, seconds: float
) -> dict[str, Any]:
    return {
        "generation": spec.generation_id,
        "twin": spec.twin().generation_id if spec.edits else "",
        "output": "" if options.output is None else str(options.output),
        "seconds": round(seconds, 3),
        "model": info.name + (" (random weights)" if info.random_weights else ""),
    }


def _stored(store: Store, spec: GenerationSpec, options: GenerateOptions, info: ModelInfo) -> dict[str, Any]:
    """Write a sound that the store has already where the user wants it."""
    samples, sample_rate = read_sound(store, spec.generation_id)
    if options.output is not None:
        write_audio_file(options.output, spec, samples, sample_rate)
    summary = _summary(spec, options, info, len(samples) / sample_rate)
    return summary | {"note": "the store had this sound already; nothing was computed"}


def model_name(options: GenerateOptions, chosen: ChosenEdits) -> str:
    """The model that was asked for, else that of the directions."""
    names = {vector.model for vector in chosen.vectors.values()}
    if options.model is None and len(names) > 1:
        raise InvalidInput(f"The directions are of several models ({', '.join(sorted(names))}): say --model.")
    return with_backend(options.model or (names.pop() if names else "pocket"), options.backend)


def load_model(options: GenerateOptions, name: str) -> LoadedModel:
    """The model of a name on the device and with the numbers that options say."""
    import torch

    from pipelines.models.named import load_named_model

    torch.set_num_threads(options.threads)
    return load_named_model(name, device=resolved_device(options.device), dtype=DTYPES[options.dtype])


def _encoded(model: LoadedModel, sounds: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """What a request needs of the sounds: the codes of its audio prompt, and its melody as it is."""
    from pipelines.generation.generate import encode_prompt

    codes = dict(sounds)
    if "prompt" in codes:
        codes["prompt_codes"] = encode_prompt(model, codes.pop("prompt"))
    return codes


def _specify(
    options: GenerateOptions, info: ModelInfo
) -> tuple[GenerationSpec, dict[str, np.ndarray[Any, Any]]]:
    """The specification without edits, and the sounds that it names, as they are decoded."""
    sounds: dict[str, np.ndarray[Any, Any]] = {}
    prompt = melody = None
    if options.audio_prompt is not None:
        prompt, sounds["prompt"] = read_prompt(
            options.audio_prompt,
            start_seconds=options.audio_start,
            seconds=options.audio_seconds,
            sample_rate=info.sample_rate,
            channels=info.channels,
        )
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


def _capture_spec(options: GenerateOptions, info: ModelInfo) -> CaptureSpec | None:
    if options.capture is None:
        return None
    layers = tuple(range(info.layers))
    spec = CaptureSpec(
        parse_sites(options.capture, info.site_names), layers, parse_reductions(options.reduce)
    )
    check_capture(info, spec)
    return spec


def _generate(
    model: LoadedModel,
    spec: GenerationSpec,
    chosen: ChosenEdits,
    codes: dict[str, Any],
    capture: CaptureSpec | None,
) -> GeneratedAudio:
    from pipelines.generation.generate import generate

    request = request_of(spec, chosen.vectors, **codes)
    with stepped("generate" if spec.edits else "generate unsteered", unit="steps") as progress:
        return generate(model, [request], capture=capture, progress=progress)[0]


def _keep(store: Store, spec: GenerationSpec, generated: GeneratedAudio) -> None:
    write_generations(store, [(spec, generated)])


ENDINGS = (".flac", ".wav")


def check_options(options: GenerateOptions) -> None:
    """Check what needs neither a store nor a model.

    Raises:
        InvalidInput: An option is not legal, or would have no effect.
        NotFound: The folder of the output is not there.
    """
    if options.output is not None:
        _check_output(options.output)
    Sampling(options.guidance, options.temperature, options.top_k, options.top_p)
    for option, cure in _without_effect(options):
        raise InvalidInput(f"{option} has no effect without {cure}.")


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"{output} has no ending that is known; write {' or '.join(ENDINGS)}.")
    check_output(output)


def _without_effect(options: GenerateOptions) -> list[tuple[str, str]]:
    """Options that were given although what they act on was not, each with what is missing."""
    steering = {
        "--alpha": options.alphas,
        "--schedule": options.schedules,
        "--monitor": options.monitor,
        "--target-prompt": options.target_prompt,
        "--away": options.away,
    }
    prompt = {
        "--audio-start": options.audio_start,
        "--audio-seconds": options.audio_seconds,
        "--steer-prompt": options.steer_prompt,
    }
    found = []
    if not options.directions:
        found += [(name, "--direction") for name, given in steering.items() if given]
    if options.audio_prompt is None:
        found += [(name, "--audio-prompt") for name, given in prompt.items() if given]
    if options.target_prompt is not None and "auto" not in options.alphas:
        found.append(("--target-prompt", "--alpha auto"))
    return found
