"""Train the judge, on clips that no other model has heard."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pipelines.pocket.judge_network import (
    MEL_BINS,
    SAMPLE_RATE,
    TEMPOS_BPM,
    WINDOW_SAMPLES,
    JudgeNetwork,
    rhythm,
)
from pipelines.scorers.clap_transformers import quiet_transformers
from training.pocket.labelled_clips import CLASSES, LabelledClips, Samples, draw_examples
from training.pocket.loop import Losses, Stage, Tell, silent, step_generator
from training.pocket.spectrum_augmentation import augment

CONCEPTS = ("style", "instrument", "drums", "mode")
TEMPO_BLUR_BPM = 2.0


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How it is trained."""

    steps: int = 3_000
    batch: int = 48
    learning_rate: float = 2e-3
    seed: int = 2
    device: str = "cpu"
    tell: Tell = silent


@dataclass(frozen=True, slots=True)
class JudgeFeatures:
    """What the judge hears of N clips."""

    spectra: NDArray[np.float16]
    """(N, frames, mel bins) in dB."""
    rhythms: NDArray[np.float16]
    """(N, bands, lags)."""


def train_judge(
    clips: LabelledClips, versions: Sequence[JudgeFeatures], folder: Path, settings: JudgeSettings
) -> JudgeNetwork:
    """Trains, or goes on where the checkpoint in `folder` ends.

    Args:
        clips: what is known of N clips.
        versions: how they sound: as rendered, and as the codec gives them back, or the first of them only.
            Each is drawn equally often.
        folder: of checkpoint and loss curve.
        settings: steps, rate, seed.
    """
    torch.manual_seed(settings.seed)
    network = new_network().to(settings.device)
    labels = {concept: torch.from_numpy(clips.codes[concept]).to(settings.device) for concept in CONCEPTS}
    tempos = tempo_targets(clips.tempo_bpm).to(settings.device)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=0.02)
    stage = Stage(
        "judge",
        folder,
        settings.steps,
        parts={"network": network},
        optimizers={"optimizer": optimizer},
        tell=settings.tell,
    )
    if stage.resume():
        return network.cpu().eval()

    def step(number: int) -> Losses:
        generator = step_generator(settings.seed, "judge", number)
        examples = draw_examples([len(each.spectra) for each in versions], settings.batch, generator)
        rows = [row for _, row in examples]
        spectra = np.stack([versions[version].spectra[row] for version, row in examples])
        rhythms = np.stack([versions[version].rhythms[row] for version, row in examples])
        noise = torch.Generator().manual_seed(int(generator.integers(2**62)))
        varied = augment(torch.from_numpy(spectra).float(), noise)
        logits = network.train().classify(varied.to(settings.device))
        losses = {
            concept: functional.cross_entropy(logits[concept], labels[concept][rows]) for concept in CONCEPTS
        }
        tempo_logits = network.tempo_logits(torch.from_numpy(rhythms).float().to(settings.device))
        losses["tempo"] = functional.cross_entropy(tempo_logits, tempos[rows])
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        return {name: loss.item() for name, loss in losses.items()}

    stage.run(step)
    return network.cpu().eval()


def new_network() -> JudgeNetwork:
    """A network with random weights that knows its mel filters."""
    with quiet_transformers():
        from transformers.audio_utils import mel_filter_bank
    network = JudgeNetwork({concept: len(CLASSES[concept]) for concept in CONCEPTS})
    filters = mel_filter_bank(
        num_frequency_bins=WINDOW_SAMPLES // 2 + 1,
        num_mel_filters=MEL_BINS,
        min_frequency=40,
        max_frequency=SAMPLE_RATE / 2,
        sampling_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    network.filters = torch.from_numpy(filters).float()
    return network


def judge_features(audio: Samples, count: int, *, block: int = 64) -> JudgeFeatures:
    """What the judge hears of clips 0 … count − 1, which `audio` gives as (B, samples)."""
    network = new_network()
    spectra, rhythms = [], []
    with torch.inference_mode():
        for first in range(0, count, block):
            samples = torch.from_numpy(audio(slice(first, min(first + block, count))))
            spectra.append(network.spectra(samples).half().numpy())
            rhythms.append(rhythm(samples).half().numpy())
    return JudgeFeatures(np.concatenate(spectra), np.concatenate(rhythms))


def tempo_targets(tempo_bpm: NDArray[np.float64]) -> torch.Tensor:
    """Distributions over `TEMPOS_BPM`, (N, tempos): a narrow Gaussian, so that a near miss costs little."""
    distance = torch.from_numpy(tempo_bpm).unsqueeze(1) - TEMPOS_BPM
    return (-0.5 * (distance / TEMPO_BLUR_BPM).square()).softmax(1).float()


def save_judge(path: Path, network: JudgeNetwork, temperatures: Mapping[str, float]) -> None:
    """Writes the file that `load_judge` reads; matrices in float16."""
    from safetensors.torch import save_file

    network.temperatures = torch.tensor([temperatures[concept] for concept in CONCEPTS])
    exact = ("filters",)
    state = {
        name: (tensor.half() if tensor.ndim > 1 and name not in exact else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    }
    classes = {concept: list(CLASSES[concept]) for concept in CONCEPTS}
    save_file(state, path, metadata={"classes": json.dumps(classes)})
