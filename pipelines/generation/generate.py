"""Generate audio with MusicGen from a text, the beginning of a recording or nothing, steered or not.

Generations whose conditions, prompts and lengths agree share a batch. What comes out depends on the request
alone but for rounding: texts are never padded to a neighbour's length, and noise is drawn per generation.
Matrix products may round a row otherwise beside other rows or on another processor, so tokens are the same
except where the two best scores of a step lie within rounding of each other: those of the built-in model move
by 3e-5 at most between SSE4.1, AVX2 and AVX-512. A pass has at least `FEWEST_ROWS` rows, as products of fewer
go through other kernels. Batches of one fixed size would promise no more, since a row's place in the batch
decides too, and take 2.6 to 4 times as long for a single generation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.generation import MOST_SECONDS
from pipelines.generation.capture import RecordedGeneration, record_generation
from pipelines.generation.decoding import (
    Window,
    condition_lengths,
    count_steps,
    fill_window,
    guided,
    stacked,
    window_frames,
    windows_of,
)
from pipelines.generation.sampling import MAX_RANDOM_STATE, GumbelNoise, Sampling
from pipelines.models.channels import as_batch, as_sound
from pipelines.models.protocol import generating
from pipelines.steering.edits import Steering
from pipelines.steering.steer import SteeringState, steer
from store.errors import InvalidInput

if TYPE_CHECKING:
    from pipelines.capture import CaptureSpec
    from pipelines.models.protocol import Conditions, GeneratingModel, LoadedModel
    from store.records import ModelInfo

FEWEST_ROWS = 4
BATCH_SIZE = 32

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class GenerationRequest:
    """All that decides what one generation sounds like, beside the model."""

    seconds: float
    """Length of the result, an audio prompt included."""
    text: str = ""
    random_state: int = 0
    prompt_codes: NDArray[np.integer] | None = None
    """Codec tokens (K, T₀) of the recording to continue (`encode_prompt`)."""
    melody: NDArray[np.float32] | None = None
    """Samples (samples,) at the model's rate of a melody to follow; for models that take one."""
    sampling: Sampling = field(default_factory=Sampling)
    steering: Steering = field(default_factory=Steering)

    def __post_init__(self) -> None:
        if not 0 <= self.random_state <= MAX_RANDOM_STATE:
            raise InvalidInput(f"Random state {self.random_state} must lie in 0–{MAX_RANDOM_STATE}.")

    @property
    def prompt_frames(self) -> int:
        """T₀; 0 without an audio prompt."""
        return 0 if self.prompt_codes is None else self.prompt_codes.shape[-1]


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedAudio:
    """One generation."""

    request: GenerationRequest
    codes: NDArray[np.int16]
    """(K, T), an audio prompt included."""
    audio: NDArray[np.float32]
    """(samples,); (samples, 2) of a stereo model."""
    sample_rate: int
    provenance: Mapping[str, str]
    """What it was computed on: "device" and "torch"."""
    activations: Mapping[str, NDArray[np.float32]]
    """By "<site>.<reduction>", (L, D) …, of the row with conditions; empty unless asked for."""


def generate(
    model: LoadedModel,
    requests: Sequence[GenerationRequest],
    *,
    batch_size: int = BATCH_SIZE,
    capture: CaptureSpec | None = None,
    progress: Progress | None = None,
) -> list[GeneratedAudio]:
    """Generate, in batches of alike requests; results in the order of the requests.

    Args:
        model: A loaded model.
        requests: What to generate.
        batch_size: Most generations in a batch; guidance doubles its rows.
        capture: Keep activations of the generations themselves, as steered.
        progress: Called after every step with steps done and steps in all.

    Raises:
        InvalidInput: A request does not fit the model.
    """
    maker = generating(model)
    for request in requests:
        check_request(model, request)
    batches = list(_batches(model, requests, batch_size))
    counter = _Counter(progress, sum(_steps(model, requests[members[0]]) for members in batches))
    results: dict[int, GeneratedAudio] = {}
    for members in batches:
        chosen = [requests[member] for member in members]
        results |= zip(members, _generate_batch(maker, chosen, capture, counter), strict=True)
    return [results[place] for place in range(len(requests))]


def encode_prompt(model: LoadedModel, samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Codec tokens (K, T₀) of a recording's beginning, samples at the model's rate.

    A sound (samples,) is heard on both sides by a stereo model; others are (samples, channels).
    """
    channels = model.info.channels
    if samples.ndim == 1 and channels > 1:
        samples = np.stack([samples] * channels, axis=1)
    codes = model.encode(torch.tensor(as_batch(samples[None]), dtype=torch.float32))
    result: NDArray[np.int16] = codes[0].cpu().numpy()
    return result


def decode(model: LoadedModel, codes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Audio of codec tokens (K, T), by itself, so that no neighbour rounds it: (samples,) or (samples, 2)."""
    audio = generating(model).decode(torch.from_numpy(codes.astype(np.int64))[None])[0]
    return as_sound(audio.cpu().numpy())


def frames_of_request(model: LoadedModel, request: GenerationRequest) -> int:
    """T: codec frames of the result."""
    return round(request.seconds * model.info.frame_rate)


def check_request(model: LoadedModel, request: GenerationRequest) -> None:
    """Raise InvalidInput where the model cannot do what a request asks for."""
    info = model.info
    if not 0 < request.seconds <= MOST_SECONDS:
        raise InvalidInput(
            f"A sound of {request.seconds:g} s is not possible: choose from above 0 to {MOST_SECONDS:g} s."
        )
    frames = frames_of_request(model, request)
    room = min(frames, window_frames(info))
    if frames < 1:
        raise InvalidInput(
            f"{request.seconds} s are less than one frame of {info.name!r} ({info.frame_rate:g}/s)."
        )
    if request.melody is not None and not info.melody:
        raise InvalidInput(
            f"{info.name!r} takes no melody. Use a model that does, such as facebook/musicgen-melody."
        )
    if request.prompt_codes is None:
        return
    if request.prompt_codes.ndim != 2 or len(request.prompt_codes) != info.codebooks:
        raise InvalidInput(
            f"An audio prompt needs codes ({info.codebooks}, T), not {request.prompt_codes.shape}."
        )
    if request.prompt_frames >= room:
        raise InvalidInput(
            f"The audio prompt of {request.prompt_frames / info.frame_rate:g} s leaves nothing to generate: "
            f"it must be shorter than the result ({request.seconds:g} s) and than the {info.max_seconds:g} s "
            f"that {info.name!r} was trained for."
        )


def _steps(model: LoadedModel, request: GenerationRequest) -> int:
    return count_steps(model.info, frames_of_request(model, request), request.prompt_frames)


class _Counter:
    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def step(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _batches(
    model: LoadedModel, requests: Sequence[GenerationRequest], batch_size: int
) -> Iterator[list[int]]:
    """Places of requests that can share a batch, the steered ones side by side."""
    alike: dict[Any, list[int]] = {}
    for place, request in enumerate(requests):
        lengths = condition_lengths(model.conditions.encode(request.text))
        key = lengths, request.prompt_frames, frames_of_request(model, request), request.sampling
        alike.setdefault(key, []).append(place)
    for members in alike.values():
        members.sort(key=lambda place: not requests[place].steering.edits)
        for first in range(0, len(members), batch_size):
            yield members[first : first + batch_size]


def _generate_batch(
    model: GeneratingModel,
    requests: Sequence[GenerationRequest],
    capture: CaptureSpec | None,
    counter: _Counter,
) -> Iterator[GeneratedAudio]:
    padded = _padded(requests)
    frames = frames_of_request(model, requests[0])
    guided_rows = requests[0].sampling.guidance != 1
    lower = model.dtype != torch.float32
    with (
        torch.inference_mode(),
        torch.autocast(model.device.type, model.dtype, enabled=lower),
        steer(
            model,
            [request.steering for request in padded],
            frames=frames,
            prompt_frames=requests[0].prompt_frames,
            guided=guided_rows,
        ) as steering,
        _recording(model, capture, steering, clips=len(requests), frames=frames) as recorded,
    ):
        codes = _codes(model, padded, frames, steering, counter)
    kept = codes.cpu().numpy().astype(np.int16)
    for place, request in enumerate(requests):
        yield GeneratedAudio(
            request=request,
            codes=kept[place],
            audio=decode(model, kept[place]),
            sample_rate=model.info.sample_rate,
            provenance={
                "device": _device_name(model),
                "torch": torch.__version__,
                "backend": model.backend,
            },
            activations=recorded.of(place) if recorded else {},
        )


def _device_name(model: LoadedModel) -> str:
    return torch.cuda.get_device_name() if model.device.type == "cuda" else "cpu"


def _recording(
    model: LoadedModel, spec: CaptureSpec | None, state: SteeringState, *, clips: int, frames: int
) -> AbstractContextManager[RecordedGeneration | None]:
    if spec is None:
        return nullcontext()
    return record_generation(model, spec, state, clips=clips, frames=frames)


def _padded(requests: Sequence[GenerationRequest]) -> list[GenerationRequest]:
    """The last request again until a pass has enough rows, see `FEWEST_ROWS`."""
    rows = 1 if requests[0].sampling.guidance == 1 else 2
    missing = max(0, -(-FEWEST_ROWS // rows) - len(requests))
    return [*requests, *[requests[-1]] * missing]


def _codes(
    model: GeneratingModel,
    requests: Sequence[GenerationRequest],
    frames: int,
    steering: SteeringState,
    counter: _Counter,
) -> torch.Tensor:
    """Tokens (B, K, T)."""
    info, prompt = model.info, requests[0].prompt_frames
    codes = torch.zeros((len(requests), info.codebooks, frames), dtype=torch.long, device=model.device)
    if prompt:
        given = np.stack([request.prompt_codes for request in requests if request.prompt_codes is not None])
        codes[..., :prompt] = torch.from_numpy(given.astype(np.int64)).to(model.device)
    noise = GumbelNoise(
        [request.random_state for request in requests],
        codebooks=info.codebooks,
        vocabulary=info.codebook_size,
        device=model.device,
    )
    for window in windows_of(info, frames, prompt):
        steering.window_start = window.start
        conditions = _conditions(model, requests, window, frames)
        fill_window(model, codes, window, conditions, requests[0].sampling, noise, counter.step)
    return codes


def _conditions(
    model: LoadedModel, requests: Sequence[GenerationRequest], window: Window, frames: int
) -> Conditions:
    """Of all rows of a batch; a melody moves with the window, and begins again at its end."""
    single = []
    for request in requests:
        if request.melody is None:
            single.append(model.conditions.encode(request.text))
        else:
            single.append(
                model.conditions.encode_melody(
                    request.text, _heard(model.info, request.melody, window, frames)
                )
            )
    return stacked(single) if requests[0].sampling.guidance == 1 else guided(model, single)


def _heard(info: ModelInfo, melody: NDArray[np.float32], window: Window, frames: int) -> NDArray[np.float32]:
    """The part of a melody that a window is to follow, as audiocraft cuts it."""
    if frames <= window_frames(info):
        return melody
    first = int(window.start / info.frame_rate * info.sample_rate)
    places = np.arange(first, first + int(info.max_seconds * info.sample_rate))
    return np.take(melody, places, mode="wrap")
