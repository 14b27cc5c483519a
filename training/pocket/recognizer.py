"""A classifier of style, lead instrument and drums on log-mel spectrograms, to judge the codec.

It never sees a reconstruction while it is trained: how well it recognises them measures the codec.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.songs import STYLES
from training.pocket.clips import Part, draw_clip, specimen
from training.pocket.corpus import Corpus
from training.pocket.spectra import log_mel

CLASSES: Mapping[str, tuple[str, ...]] = {
    "style": STYLES,
    "instrument": tuple(LEADS),
    "drums": ("False", "True"),
}
SIZE, HOP, BANDS = 1024, 320, 64
CHANNELS = (24, 32, 48, 64, 96)


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """How it is trained."""

    first: int = 0
    """Of the training clips that it learns from."""
    clips: int = 16_000
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 2e-3
    seed: int = 5


class Recognizer(nn.Module):
    """Convolutions over (bands, frames), then a linear head per concept on mean and maximum over both."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *CHANNELS[:-1]), CHANNELS, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            if outputs > CHANNELS[1]:
                layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {concept: nn.Linear(4 * CHANNELS[-1], len(classes)) for concept, classes in CLASSES.items()}
        )

    def maps(self, features: torch.Tensor) -> list[torch.Tensor]:
        """What each non-linearity gives, from `features_of` some audio."""
        kept, maps = [], features[:, None]
        for layer in self.body:
            maps = layer(maps)
            if isinstance(layer, nn.ReLU):
                kept.append(maps)
        return kept

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits (B, C) of each concept, from `features_of` some audio."""
        maps = self.body(features[:, None])
        bands = torch.cat([maps[:, :, :1].mean((2, 3)), maps[:, :, 1:].mean((2, 3))], dim=1)
        pooled = torch.cat([bands, maps.amax((2, 3)), maps.std((2, 3))], dim=1)
        return {concept: head(pooled) for concept, head in self.heads.items()}


def features_of(audio: torch.Tensor) -> torch.Tensor:
    """Log-mel of audio (B, samples), its clip's mean removed, so that loudness says nothing."""
    mel = log_mel(audio, size=SIZE, hop=HOP, bands=BANDS).clamp_min(-7.0)
    return (mel - mel.mean((1, 2), keepdim=True)) / 2.0


def clip_labels(part: Part, clips: int, *, first: int = 0) -> dict[str, torch.Tensor]:
    """Class numbers (N,) of each concept of some clips of a part."""
    labels = [specimen(draw_clip(part, first + index)).labels for index in range(clips)]
    return {
        concept: torch.tensor([classes.index(str(known[concept])) for known in labels])
        for concept, classes in CLASSES.items()
    }


def train_recognizer(corpus: Corpus, settings: RecognizerSettings) -> Recognizer:
    """Learn from clean clips, each heard from a random offset on and with random gain of its bands."""
    torch.manual_seed(settings.seed)
    count = min(settings.clips, len(corpus) - settings.first)
    features = torch.cat([part.half() for part in _features(corpus, settings.first, count)])
    labels = clip_labels(corpus.part, count, first=settings.first)
    recognizer = Recognizer()
    optimizer = torch.optim.AdamW(recognizer.parameters(), settings.learning_rate, weight_decay=0.02)
    steps = settings.epochs * (count // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
    for _ in range(settings.epochs):
        for rows in torch.randperm(count)[: steps // settings.epochs * settings.batch].split(settings.batch):
            logits = recognizer(_varied(features[rows].float()))
            losses = [functional.cross_entropy(logits[concept], labels[concept][rows]) for concept in CLASSES]
            optimizer.zero_grad()
            torch.stack(losses).sum().backward()
            optimizer.step()
            schedule.step()
    return recognizer.eval()


@torch.no_grad()
def recognize(recognizer: Recognizer, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
    """Probabilities (N, C) of each concept for audio (N, samples)."""
    parts = [
        recognizer(features_of(torch.from_numpy(part)))
        for part in np.array_split(audio, -(-len(audio) // 32))
    ]
    return {concept: torch.cat([part[concept] for part in parts]).softmax(1) for concept in CLASSES}


def load_recognizer(path: Path) -> Recognizer:
    """Read one that `torch.save` wrote."""
    recognizer = Recognizer()
    recognizer.load_state_dict(torch.load(path, weights_only=True))
    return recognizer.eval()


def _features(corpus: Corpus, first: int, count: int) -> Iterator[torch.Tensor]:
    for start in range(first, first + count, 16):
        rows = range(start, min(start + 16, first + count))
        audio = np.stack([corpus.samples(row) for row in rows])
        yield features_of(torch.from_numpy(audio))


def _varied(features: torch.Tensor) -> torch.Tensor:
    """Shift in time, a random smooth equaliser, and a little noise."""
    shift = int(torch.randint(features.shape[2], ()))
    tilt = functional.interpolate(torch.randn(len(features), 1, 5) * 0.15, features.shape[1], mode="linear")
    return features.roll(shift, 2) + tilt.transpose(1, 2) + 0.1 * torch.randn_like(features)
