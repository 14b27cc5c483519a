"""Train pocket-clap and the judge: reconstruct, train, calibrate, export, measure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.pocket.judge import load_judge
from pipelines.pocket.judge_network import JudgeNetwork
from pipelines.scorers.clap import load_clap
from training.pocket.clap_captions import vocabulary
from training.pocket.clap_model import new_tokenizer, save_clap
from training.pocket.clap_stage import ClapSettings, clip_spectra, train_clap
from training.pocket.judge_stage import (
    CONCEPTS,
    JudgeSettings,
    judge_features,
    save_judge,
    train_judge,
)
from training.pocket.labelled_clips import (
    FULL_SCALE,
    LabelledClips,
    Samples,
    labelled_clips,
    within_one,
)
from training.pocket.scorer_evaluation import (
    clap_temperature,
    clip_codes,
    embed,
    fit_temperature,
    measure_clap,
    measure_judge,
)

BATCH = 4
"""More at once is no faster, and takes memory."""


def reconstructed_clips(path: Path, codec: Any, clips: LabelledClips, count: int) -> NDArray[np.int16]:
    """The first `count` clips, encoded and decoded; kept in a file, which appears whole or not at all.

    Returns:
        (count, samples), mapped from disk.
    """
    if not path.exists():
        shape = (min(count, len(clips)), clips.audio.shape[1])
        unfinished = path.with_suffix(".unfinished")
        memory = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.int16, shape=shape)
        for first in range(0, len(memory), BATCH):
            rows = slice(first, min(first + BATCH, len(memory)))
            memory[rows] = np.round(_reconstruct(codec, clips.samples(rows)) * FULL_SCALE)
        memory.flush()
        unfinished.rename(path)
    found: NDArray[np.int16] = np.load(path, mmap_mode="r")
    return found


@torch.inference_mode()
def _reconstruct(codec: Any, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, samples) to the same shape, within ±1."""
    codes, scale = codec.encode(torch.from_numpy(audio).unsqueeze(1))
    made = codec.decode(codes, scale)[:, 0, : audio.shape[1]]
    heard: NDArray[np.float32] = made.clamp(-1, 1).numpy()
    return np.pad(heard, ((0, 0), (0, audio.shape[1] - heard.shape[1])))


CLAP_SEED, JUDGE_SEED, VALIDATION_SEED, TEST_SEED = 7_100_001, 7_200_001, 7_900_002, 7_900_001
"""Of the clips: the two models share none, nor with anything else that is trained or measured."""


@dataclass(frozen=True, slots=True)
class ScorerSettings:
    """How much is rendered, and how long is trained."""

    clap_clips: int = 8_000
    judge_clips: int = 5_000
    reconstructed_clips: int = 4_000
    """Of each of the two, that are also learned as the codec gives them back."""
    validation_clips: int = 400
    """Rendered, and reconstructed, for the temperatures."""
    test_clips: int = 1_000
    clap: ClapSettings = field(default_factory=ClapSettings)
    judge: JudgeSettings = field(default_factory=JudgeSettings)


@dataclass(frozen=True, slots=True)
class Heard:
    """Clips in both versions."""

    clips: LabelledClips
    reconstructed: NDArray[np.int16]

    @property
    def versions(self) -> tuple[tuple[Samples, int], ...]:
        """Each version as a function, and how many clips it has."""
        return (self.clips.samples, len(self.clips)), (self._reconstructed_samples, len(self.reconstructed))

    def _reconstructed_samples(self, rows: slice) -> NDArray[np.float32]:
        return within_one(self.reconstructed[rows])


def heard(folder: Path, codec: Any, seed: int, clips: int, *, reconstructed: int) -> Heard:
    """Clips of a seed, rendered and reconstructed where that has not been done."""
    rendered = labelled_clips(folder, seed=seed, clips=clips)
    path = folder / f"reconstructed-{seed}-{reconstructed}.npy"
    return Heard(rendered, reconstructed_clips(path, codec, rendered, reconstructed))


def clap_stage(folder: Path, codec: Any, shipped: Path, settings: ScorerSettings) -> None:
    """Trains pocket-clap in `folder` and writes the folder `shipped`."""
    sources = heard(folder, codec, CLAP_SEED, settings.clap_clips, reconstructed=settings.reconstructed_clips)
    versions = [clip_spectra(samples, count) for samples, count in sources.versions]
    model = train_clap(sources.clips, versions, folder, settings.clap)
    save_clap(shipped, model, new_tokenizer(vocabulary()))
    count = settings.validation_clips
    validation = heard(folder, codec, VALIDATION_SEED, count, reconstructed=count)
    clap = load_clap(str(shipped))
    codes = clip_codes(validation.clips, count)
    both = {concept: np.concatenate([each, each]) for concept, each in codes.items()}
    embeddings = np.concatenate(
        [embed(clap, audio) for audio in (validation.clips.audio, validation.reconstructed)]
    )
    temperature = clap_temperature(clap, embeddings, both)
    with torch.no_grad():
        for scale in (model.logit_scale_a, model.logit_scale_t):
            scale.fill_(math.log(clap.info.scale / temperature))
    save_clap(shipped, model, new_tokenizer(vocabulary()))


def judge_stage(folder: Path, codec: Any, shipped: Path, settings: ScorerSettings) -> None:
    """Trains the judge in `folder` and writes the file `shipped`."""
    sources = heard(
        folder, codec, JUDGE_SEED, settings.judge_clips, reconstructed=settings.reconstructed_clips
    )
    versions = [judge_features(samples, count) for samples, count in sources.versions]
    network = train_judge(sources.clips, versions, folder, settings.judge)
    count = settings.validation_clips
    validation = heard(folder, codec, VALIDATION_SEED, count, reconstructed=count)
    save_judge(shipped, network, judge_temperatures(network, validation))


def judge_temperatures(network: JudgeNetwork, validation: Heard) -> Mapping[str, float]:
    """For each concept, what its logits are divided by."""
    features = [judge_features(samples, count) for samples, count in validation.versions]
    with torch.inference_mode():
        logits = [network.classify(torch.from_numpy(each.spectra).float()) for each in features]
    codes = clip_codes(validation.clips, len(validation.clips))
    return {
        concept: fit_temperature(
            torch.cat([each[concept] for each in logits]).double().numpy(),
            np.concatenate([codes[concept][: len(each.spectra)] for each in features]),
        )
        for concept in CONCEPTS
    }


def measure_scorers(
    folder: Path, codec: Any, clap_folder: Path, judge_file: Path, *, clips: int
) -> dict[str, Any]:
    """Numbers for the model card, of held-out clips; also written to scorer-quality.json."""
    test = heard(folder, codec, TEST_SEED, clips, reconstructed=clips)
    codes, clap, judge = clip_codes(test.clips, clips), load_clap(str(clap_folder)), load_judge(judge_file)
    measured: dict[str, Any] = {"clap": {}, "judge": {}}
    for name, audio in (("clean", test.clips.audio), ("reconstructed", test.reconstructed)):
        some = {concept: each[: len(audio)] for concept, each in codes.items()}
        measured["clap"][name] = measure_clap(clap, audio, some)
        measured["judge"][name] = measure_judge(judge, audio, some, test.clips.tempo_bpm[: len(audio)])
    (folder / "scorer-quality.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return measured
