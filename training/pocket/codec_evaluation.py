"""Measure the codec on held-out clips."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.pocket.configuration import CODEBOOK_SIZE
from training.pocket.corpus import Corpus
from training.pocket.quantizer import perplexity
from training.pocket.recognizer import Recognizer, clip_labels, recognize
from training.pocket.spectra import log_mel

BATCH = 4


@dataclass(frozen=True, slots=True)
class CodecQuality:
    """Means over the clips of a part."""

    part: str
    clips: int
    log_mel_l1: float
    """Mean |difference| of ln mel magnitudes (80 bands, 1024/256, floor 1e-5)."""
    log_mel_l1_mean_spectrum: float
    """The same for each clip's own mean spectrum, held for all of the clip: what knowing no time costs."""
    log_mel_l1_other_clip: float
    """The same for the next clip."""
    perplexity: tuple[float, ...]
    """Per codebook, of 256."""
    clean: dict[str, float]
    """Share of the clean clips that the recognizer gets right, by concept."""
    reconstructed: dict[str, float]
    """The same of the reconstructions."""
    instruments: dict[str, float]
    """Of the reconstructions, by lead instrument."""

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


def evaluate_codec(codec: Any, recognizer: Recognizer, corpus: Corpus, *, clips: int) -> CodecQuality:
    """Encode and decode the first clips of a part, and compare."""
    count = min(clips, len(corpus))
    original = np.stack([corpus.samples(index) for index in range(count)])
    codes, made = reconstruct(codec, original)
    labels = clip_labels(corpus.part, count)
    clean, heard = (_right(recognizer, audio, labels) for audio in (original, made))
    mels = log_mel_batches(original)
    distance, of_mean, of_other = np.mean(
        [_distances(mel, other) for mel, other in zip(mels, log_mel_batches(made), strict=True)], axis=0
    )
    return CodecQuality(
        corpus.part,
        count,
        round(float(distance), 4),
        round(float(of_mean), 4),
        round(float(of_other), 4),
        tuple(round(float(book), 1) for book in perplexity(codes, CODEBOOK_SIZE)),
        {concept: round(float(right.mean()), 4) for concept, right in clean.items()},
        {concept: round(float(right.mean()), 4) for concept, right in heard.items()},
        _by_instrument(heard["instrument"], labels["instrument"]),
    )


def reconstruct(codec: Any, audio: NDArray[np.float32]) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Codes (N, K, T) of audio (N, samples), and what the decoder makes of them."""
    codes, made = [], []
    with torch.inference_mode():
        for first in range(0, len(audio), BATCH):
            batch = torch.from_numpy(audio[first : first + BATCH])[:, None]
            codes.append(codec.encode(batch)[0])
            made.append(codec.decode(codes[-1])[:, 0, : audio.shape[1]].numpy())
    return torch.cat(codes), np.concatenate(made)


def log_mel_batches(audio: NDArray[np.float32]) -> list[torch.Tensor]:
    """Spectra of some clips at a time."""
    return [log_mel(torch.from_numpy(part)) for part in np.array_split(audio, max(1, len(audio) // 16))]


def _distances(mel: torch.Tensor, made: torch.Tensor) -> list[float]:
    others = (made, mel.mean(2, keepdim=True), mel.roll(1, 0))
    return [float((mel - other).abs().mean()) for other in others]


def _right(
    recognizer: Recognizer, audio: NDArray[np.float32], labels: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    probabilities = recognize(recognizer, audio)
    return {concept: (probabilities[concept].argmax(1) == labels[concept]).float() for concept in labels}


def _by_instrument(right: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    from pipelines.synthesis.instruments import LEADS

    present: Iterator[tuple[int, str]] = ((n, name) for n, name in enumerate(LEADS) if (labels == n).any())
    return {name: round(float(right[labels == number].mean()), 3) for number, name in present}
