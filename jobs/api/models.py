"""Python's `load_model`, `forward` and `generate`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

import numpy as np
from numpy.typing import NDArray

from jobs.api.blocks import Block, block_of
from jobs.api.keywords import Backend, Device, Dtype, Sampled, documented
from jobs.api.sounds import Sound
from jobs.api.values import one_each
from jobs.execution import resolved_device
from jobs.generate.options import GenerateOptions
from store.errors import InvalidInput

if TYPE_CHECKING:
    from pipelines.generation.generate import GeneratedAudio
    from pipelines.models.protocol import LoadedModel

SAMPLING = ("guidance", "temperature", "top_k", "top_p")
Audio = Sound | str | Path | NDArray[Any]
"""A sound, a file, or samples (samples,) at the rate of the model."""


def load_model(
    name: str = "pocket",
    *,
    device: Device = "auto",
    dtype: Dtype = "float32",
    backend: Backend = None,
    model_file: str | Path | None = None,
    trust_remote_code: bool = False,
) -> "LoadedModel":
    """Load a MusicGen, or an audio encoder, which is passed over sounds and read, and does nothing else.

    Args:
        name: "pocket", "pocket-random" or "pocket-clap", which come with the project, a hub name such as
            "facebook/musicgen-small" ("@revision" pins one), or a folder in audiocraft's format or that of
            transformers.
        device: "auto" takes a GPU where there is one.
        dtype: of the decoder's matrices; the codec is always float32.
        backend: the library that computes it; by default the one whose format its files have.
        model_file: a file of Python that describes a torch module of yours, instead of a name; it is run.
        trust_remote_code: run the code that lies beside the weights, where a folder needs some.

    Raises:
        NotFound: there is no model of that name.
        ModelError: the checkpoint is missing, damaged or unsupported.
        InvalidInput: device or dtype are not legal here.

    Examples:
        >>> load_model("pocket-random", device="cpu")
        MusicGen 'pocket-random' (layers 0–7 of 128, 4 codebooks, 32 frames/s, float32 on cpu)
    """
    from pipelines.models.backends import with_backend
    from pipelines.models.named import load_readable_model
    from pipelines.models.own_code import with_own_code

    file = None if model_file is None else Path(model_file)
    if file is not None and (name != "pocket" or backend):
        raise InvalidInput("model_file is the model: leave out its name and backend.")
    named = with_own_code(with_backend(name, backend), file, trust_remote_code=trust_remote_code)
    loaded = load_readable_model(named, device=resolved_device(device), dtype=dtype)
    return cast("LoadedModel", loaded)  # what an encoder lacks is refused where it is asked for


def forward(model: "LoadedModel", audio: Audio, *, text: str = "") -> NDArray[np.int16]:
    """Pass a recording through a model: encode it, and run the decoder over it (teacher-forced).

    What it computes is kept by the `capture` block around it, after the edits of a `steer` block.

    Args:
        model: a loaded model.
        audio: a file, a `Sound`, or samples (samples,), for a stereo model also (samples, 2), at
            `model.info.sample_rate`; as long at most as the model was trained for.
        text: text condition; "" for none.

    Returns:
        Codec tokens (codebooks, frames), before the delay pattern; (0, frames) from an audio encoder.

    Raises:
        InvalidInput: the recording is too short or too long, or an encoder is given a text.
        AudioError: the file cannot be decoded.

    Examples:
        >>> forward(model, np.zeros(16000, np.float32)).shape
        (4, 32)
    """
    import torch

    from pipelines.generation.generate import encode_prompt
    from pipelines.models.protocol import as_encoder

    samples = _samples(audio, model.info.sample_rate, channels=model.info.channels)
    longest = round(model.info.max_seconds * model.info.sample_rate)
    if len(samples) > longest:
        raise InvalidInput(
            f"The recording lasts {len(samples) / model.info.sample_rate:g} s, and {model.info.name!r} was "
            f"trained for {model.info.max_seconds:g} s at most: give a part of it."
        )
    if text and not model.info.takes_text:
        raise InvalidInput(f"{model.info.name!r} takes no text: leave it out.")
    if (encoder := as_encoder(model)) is not None:
        encoder.hear(torch.from_numpy(samples)[None, None])
        return np.empty((0, model.frames(len(samples) / model.info.sample_rate)), np.int16)
    codes = torch.from_numpy(encode_prompt(model, samples))[None].to(model.device)
    ((_, conditions),) = model.conditions.groups([text])
    model.forward(codes, conditions)
    found: NDArray[np.int16] = codes[0].cpu().numpy()
    return found


@dataclass(frozen=True, slots=True)
class Converted:
    """A checkpoint that was written in the other format."""

    folder: Path
    was: str
    """"audiocraft", "transformers" or "dora"."""
    format: str
    """"audiocraft" or "transformers"."""
    tensors: int
    nbytes: int


def convert(source: str | Path, target: str | Path, *, codec: str | None = None) -> Converted:
    """Write a MusicGen in the other checkpoint format: audiocraft's, or that of transformers.

    No value of any tensor changes, and back again it is the same model.

    Args:
        source: a folder in either format, a `checkpoint.th` that Dora wrote, or a model's name.
        target: a folder that is not there yet; it gets its name when it is whole.
        codec: of a `checkpoint.th`: its compression_state_dict.bin, its own checkpoint.th, or a published
            one's name.

    Raises:
        InvalidInput: the target is there already, or lies in a store.
        ModelError: the source is missing or damaged, or the other format has no such model.
        NotFound: there is no model of that name.

    Examples:
        >>> convert("facebook/musicgen-small", "small-of-transformers")  # doctest: +SKIP
    """
    from jobs.conversion import ConvertOptions, converted

    done = converted(ConvertOptions(str(source), Path(target), codec))
    return Converted(done.folder, done.source_format, done.format, done.tensors, done.nbytes)


@overload
def generate(
    model: "LoadedModel",
    text: str = "",
    *,
    seed: int = 0,
    audio_prompt: Audio | None = None,
    melody: Audio | None = None,
    **given: Unpack[Sampled],
) -> Sound: ...


@overload
def generate(
    model: "LoadedModel",
    text: list[str] | tuple[str, ...],
    *,
    seed: int | Sequence[int] = 0,
    audio_prompt: Audio | None = None,
    melody: Audio | None = None,
    **given: Unpack[Sampled],
) -> list[Sound]: ...


@documented(Sampled, GenerateOptions)
def generate(
    model: "LoadedModel",
    text: str | list[str] | tuple[str, ...] = "",
    *,
    seed: int | Sequence[int] = 0,
    audio_prompt: Audio | None = None,
    melody: Audio | None = None,
    **given: Any,
) -> Sound | list[Sound]:
    """Generate sounds, steered by the `steer` block around and seen by the `capture` block around.

    What comes out depends on the arguments alone: equal seeds share their noise, so a steered sound and an
    unsteered one of the same seed differ by the steering alone.

    Args:
        model: a loaded model.
        text: text condition, "" for none; or several, for as many sounds in one batch.
        seed: of the sampling noise; with several texts one for all or one each.
        audio_prompt: a sound to continue.
        melody: a sound to follow, for models that take one.

    Raises:
        InvalidInput: the model cannot do what is asked for.

    Examples:
        >>> generate(model, "rock", seconds=1, seed=0)
        Sound(1 s at 16000 Hz, 'rock', seed 0)
    """
    from jobs.generate.generating import DEFAULT_SECONDS
    from jobs.progress.reporters import told
    from jobs.progress.reporting import stepped
    from pipelines.generation.generate import GenerationRequest, encode_prompt
    from pipelines.generation.generate import generate as generated_by
    from pipelines.generation.sampling import Sampling
    from pipelines.steering.edits import Steering

    texts = [text] if isinstance(text, str) else list(text)
    block = block_of(model) or Block(model)
    rate = model.info.sample_rate
    prompt = None if audio_prompt is None else _samples(audio_prompt, rate, channels=model.info.channels)
    requests = [
        GenerationRequest(
            seconds=given.get("seconds") or DEFAULT_SECONDS + (0.0 if prompt is None else len(prompt) / rate),
            text=one,
            random_state=state,
            prompt_codes=None if prompt is None else encode_prompt(model, prompt),
            melody=None if melody is None else _samples(melody, rate),
            sampling=Sampling(**{name: given[name] for name in SAMPLING if name in given}),
            steering=block.steering or Steering(),
        )
        for one, state in zip(texts, one_each(seed, len(texts), "seed"), strict=True)
    ]
    with told(given.get("progress", False)), stepped("generate", unit="steps") as advance, block.paused():
        spec = None if block.seen is None else block.seen.spec
        made = generated_by(model, requests, capture=spec, progress=advance)
    if block.seen is not None:
        block.seen.take(made)
    sounds = [_sound(one) for one in made]
    return sounds[0] if isinstance(text, str) else sounds


def _sound(made: "GeneratedAudio") -> Sound:
    return Sound(made.audio, made.sample_rate, made.request.text, made.request.random_state, made.codes)


def _samples(audio: Audio, sample_rate: int, *, channels: int = 1) -> NDArray[np.float32]:
    """Samples (samples,) at a rate; for two channels (samples, 2) where the sound has two."""
    from pipelines.audio.clips import mono
    from pipelines.audio.resampling import resample

    if isinstance(audio, str | Path):
        from jobs.generate.inputs import read_recording

        return read_recording(Path(audio), sample_rate=sample_rate, channels=channels)
    if isinstance(audio, Sound):
        samples = resample(audio.samples, audio.sample_rate, sample_rate)
    else:
        samples = np.asarray(audio, np.float32)
    wrong = samples.ndim not in (1, 2) or samples.shape[1:] not in ((), (2,))
    if wrong or not len(samples) or not np.isfinite(samples).all():
        raise InvalidInput(
            f"Audio has the shape {samples.shape}: give finite samples, mono (samples,) or stereo "
            f"(samples, 2), at {sample_rate} Hz, a Sound, or the path of a file."
        )
    return mono(samples) if channels == 1 else samples
