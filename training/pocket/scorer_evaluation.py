"""Measure pocket-clap and the judge on held-out clips, as rendered and through the codec."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.pocket.judge import Judge
from pipelines.scorers.clap import TEMPLATE, ClapModel, cosines, zero_shot
from training.pocket.clap_captions import CONCEPTS
from training.pocket.clap_stage import clip_facts
from training.pocket.labelled_clips import CLASSES, SAMPLE_RATE, LabelledClips, within_one

BINS = 15


def fit_temperature(logits: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """What logits are divided by so that the likelihood of the labels is largest (Guo et al. 2017).

    Args:
        logits: (N, C).
        codes: class codes (N,).
    """
    scores, wanted = torch.from_numpy(logits).double(), torch.from_numpy(codes)
    candidates = torch.logspace(-1, 1, 201, dtype=torch.float64)
    losses = torch.stack([torch.nn.functional.cross_entropy(scores / each, wanted) for each in candidates])
    return float(candidates[losses.argmin()])


def calibration_error(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Expected calibration error: mean |confidence − accuracy| over bins of confidence, by their size.

    Args:
        probabilities: (N, C).
        codes: class codes (N,).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == codes
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence[bins == each] - right[bins == each]).sum()) for each in np.unique(bins)]
    return float(sum(gaps) / len(codes))


ASKED: Mapping[str, tuple[str, ...]] = {
    "style": CLASSES["style"],
    "instrument": CLASSES["instrument"],
    "drums": ("no drums", "drums"),
    "tempo": ("slow music", "medium-tempo music", "fast music"),
    "mode": CLASSES["mode"],
}
"""What stands for the classes of each concept in the template."""
CALIBRATED = ("style", "instrument")
BLOCK = 50

Codes = Mapping[str, NDArray[np.int64]]
Measured = dict[str, Any]


def clip_codes(clips: LabelledClips, count: int) -> dict[str, NDArray[np.int64]]:
    """Class codes of the first clips, by concept."""
    facts = clip_facts(clips)[:count]
    return {concept: np.array([each[concept] for each in facts]) for concept in CONCEPTS}


def embed(clap: ClapModel, audio: NDArray[np.int16]) -> NDArray[np.float32]:
    """Embeddings (N, E) of clips (N, samples)."""
    blocks = [audio[first : first + BLOCK] for first in range(0, len(audio), BLOCK)]
    return np.concatenate([clap.embed_audio(within_one(block)) for block in blocks])


def clap_temperature(clap: ClapModel, embeddings: NDArray[np.float32], codes: Codes) -> float:
    """What the logits should be divided by, so that probabilities of style and instrument can be trusted."""
    temperatures = [
        fit_temperature(clap.info.scale * cosines(embeddings, _texts(clap, concept)), codes[concept])
        for concept in CALIBRATED
    ]
    return float(np.exp(np.mean(np.log(temperatures))))


def measure_clap(clap: ClapModel, audio: NDArray[np.int16], codes: Codes) -> Measured:
    """Zero-shot accuracy and calibration error of each concept, with the default template."""
    embeddings = embed(clap, audio)
    measured: Measured = {"clips": len(audio)}
    for concept in ASKED:
        probabilities = zero_shot(embeddings, _texts(clap, concept), clap.info.scale)
        measured[concept] = _scores(probabilities, codes[concept])
    return measured


def measure_judge(
    judge: Judge, audio: NDArray[np.int16], codes: Codes, tempo_bpm: NDArray[np.float64]
) -> Measured:
    """Accuracy and calibration error of each concept, and how near the tempo comes."""
    verdicts, tempos = [], []
    for first in range(0, len(audio), BLOCK):
        samples = within_one(audio[first : first + BLOCK])
        verdicts.append(judge.probabilities(samples, SAMPLE_RATE))
        tempos.append(judge.tempo_bpm(samples, SAMPLE_RATE))
    measured: Measured = {"clips": len(audio)}
    for concept in judge.classes:
        probabilities = np.concatenate([verdict[concept][1] for verdict in verdicts])
        measured[concept] = _scores(probabilities, codes[concept])
    measured["tempo"] = _tempo_scores(np.concatenate(tempos), tempo_bpm)
    return measured


def _texts(clap: ClapModel, concept: str) -> NDArray[np.float32]:
    return clap.embed_text([TEMPLATE.format(word) for word in ASKED[concept]])


def _scores(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> dict[str, float]:
    return {
        "accuracy": round(float((probabilities.argmax(axis=1) == codes).mean()), 4),
        "calibration_error": round(calibration_error(probabilities, codes), 4),
    }


def _tempo_scores(found: NDArray[np.float64], actual: NDArray[np.float64]) -> dict[str, float]:
    """R², mean error, and the share within 4 % of the tempo, alone and with its half and double."""
    ratio = found / actual
    octaves = np.stack([ratio, ratio / 2, ratio * 2])
    return {
        "r2": round(float(1 - np.square(found - actual).mean() / actual.var()), 4),
        "mean_error_bpm": round(float(np.abs(found - actual).mean()), 2),
        "within_4_percent": round(float((np.abs(ratio - 1) < 0.04).mean()), 4),
        "within_4_percent_or_octave": round(float((np.abs(octaves - 1) < 0.04).any(axis=0).mean()), 4),
    }
