"""The judge: a classifier of style, lead instrument, drums, mode and tempo from audio.

It was trained on rendered clips of its own, as they are and as the pocket model's codec gives them back. It
says nothing about other music, and its verdict on the mode (major or minor) is no better than chance.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.resampling import resample, resampler
from pipelines.scorers.protocol import ScorerFactory, Scores
from store.errors import InvalidInput, ModelError

if TYPE_CHECKING:
    import torch

    from pipelines.pocket.judge_network import JudgeNetwork

WEIGHTS = Path(__file__).with_name("judge.safetensors")
VERSION = 1
"""Of what is made of sound before and after the network: raise it with its numbers."""
SHORTEST_SECONDS = 1.0
BATCH_WINDOWS = 32

Verdict = tuple[tuple[str, ...], NDArray[np.float64]]
"""Class names, and their probabilities (B, C)."""


class Judge:
    """A loaded judge."""

    def __init__(
        self, network: "JudgeNetwork", classes: Mapping[str, tuple[str, ...]], fingerprint: str
    ) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)
        self.classes = dict(classes)
        self.fingerprint = fingerprint

    def probabilities(self, audio: NDArray[np.float32], sample_rate: int) -> dict[str, Verdict]:
        """Calibrated probabilities of the classes of each concept.

        Args:
            audio: mono (B, samples), one second or more; of longer audio, windows of 4 s are averaged.
            sample_rate: of the audio, in Hz.

        Returns:
            Per concept its class names and their probabilities, float64 (B, C).

        Raises:
            InvalidInput: the array has another shape, or is too short.
        """
        import torch

        windows = _windows(_at_own_rate(audio, sample_rate))
        count, per_clip, samples = windows.shape
        parts: dict[str, list[torch.Tensor]] = {concept: [] for concept in self.classes}
        with torch.inference_mode():
            for block in windows.reshape(count * per_clip, samples).split(BATCH_WINDOWS):
                logits = self._network.classify(self._network.spectra(block))
                for number, concept in enumerate(self.classes):
                    warm = logits[concept].double() / self._network.temperatures[number]
                    parts[concept].append(warm.softmax(1))
        return {
            concept: (names, torch.cat(parts[concept]).reshape(count, per_clip, -1).mean(1).numpy())
            for concept, names in self.classes.items()
        }

    def tempo_bpm(self, audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
        """Quarter notes per minute, (B,), between 60 and 170; of several windows, the median."""
        import torch

        from pipelines.pocket.judge_network import expected_tempo, rhythm

        windows = _windows(_at_own_rate(audio, sample_rate))
        count, per_clip, samples = windows.shape
        with torch.inference_mode():
            blocks = windows.reshape(count * per_clip, samples).split(BATCH_WINDOWS)
            tempos = torch.cat(
                [expected_tempo(self._network.tempo_logits(rhythm(block))) for block in blocks]
            )
        return np.asarray(np.median(tempos.double().reshape(count, per_clip).numpy(), axis=1))


def load_judge(path: Path = WEIGHTS) -> Judge:
    """Loads the judge that ships with the project, in a few tenths of a second.

    Raises:
        ModelError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    from pipelines.models.fingerprints import fingerprint
    from pipelines.pocket.judge_network import JudgeNetwork

    try:
        with safe_open(path, framework="pt") as file:
            classes = {name: tuple(names) for name, names in json.loads(file.metadata()["classes"]).items()}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — the file is no mapping
        network = JudgeNetwork({concept: len(names) for concept, names in classes.items()})
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"The judge in {path} cannot be loaded ({type(error).__name__}): the file is missing, damaged, "
            f"or of another version. Install Undertone again, or restore the file from git."
        ) from error
    decides: dict[str, Any] = {"classes": classes, "resampler": resampler()}
    if VERSION > 1:  # the first one had no number
        decides["version"] = VERSION
    return Judge(network, classes, fingerprint(decides, state))


def _at_own_rate(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    from pipelines.pocket.judge_network import SAMPLE_RATE

    if audio.ndim != 2 or audio.shape[1] < SHORTEST_SECONDS * sample_rate:
        raise InvalidInput(
            f"Audio of shape {audio.shape} at {sample_rate} Hz cannot be judged; it must be (clips, samples) "
            f"of {SHORTEST_SECONDS:g} s or more."
        )
    resampled = [resample(clip, sample_rate, SAMPLE_RATE) for clip in audio]
    return np.stack(resampled) if resampled else np.empty((0, audio.shape[1]), np.float32)


def _windows(audio: NDArray[np.float32]) -> "torch.Tensor":
    """(B, windows, samples): all of it, in evenly spaced windows of at most 4 s."""
    import torch

    from pipelines.pocket.judge_network import SAMPLE_RATE, WINDOW_SECONDS

    samples, length = round(WINDOW_SECONDS * SAMPLE_RATE), audio.shape[1]
    count = math.ceil(length / samples)
    starts = [
        round(place * (length - samples) / max(1, count - 1)) if count > 1 else 0 for place in range(count)
    ]
    return torch.stack([torch.from_numpy(audio[:, start : start + samples]) for start in starts], dim=1)


class JudgeScorer:
    """The judge as a scorer: how likely each class of its concepts is, and the tempo."""

    name = "pocket"

    def __init__(self) -> None:
        from pipelines.pocket.judge_network import SAMPLE_RATE

        self._judge = load_judge()
        self.version = self._judge.fingerprint
        self.sample_rate = SAMPLE_RATE

    def score(self, audio: NDArray[np.float32]) -> list[Scores]:
        probable = self._judge.probabilities(audio, self.sample_rate)
        found = [
            Scores(concept, "probability", values, tuple(names))
            for concept, (names, values) in probable.items()
        ]
        tempos = np.asarray(self._judge.tempo_bpm(audio, self.sample_rate), np.float64)
        return [*found, Scores("tempo", "tempo_bpm", tempos)]


SCORER = ScorerFactory(lambda _device: JudgeScorer(), choice_rank=30)
