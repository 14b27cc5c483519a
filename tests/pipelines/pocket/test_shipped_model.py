"""The shipped model does what it was trained for: prompts are followed, and directions steer.

The judge hears. It has never seen an activation; margins are wide of what the model card reports.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.capture import CaptureSpec, forward_activations
from pipelines.generation.generate import GenerationRequest, generate
from pipelines.generation.sampling import Sampling
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from pipelines.pocket.judge import Judge, load_judge
from pipelines.steering.edits import Edit, Steering
from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.songs import STYLES
from training.pocket.clips import draw_clip, render_clip, specimen

CLIPS = 160
LAYERS, ALPHA = (5, 6, 7), 0.15
RANDOM_STATES = (0,)
TEXTS = ("{} music", "fast {} music with drums")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> Iterator[MusicGenModel]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # matrices this small are slower on several
    yield load_musicgen("pocket")
    torch.set_num_threads(threads)


@cache
def judge() -> Judge:
    return load_judge()


def heard(
    model: MusicGenModel, requests: Sequence[GenerationRequest], concept: str
) -> dict[str, NDArray[Any]]:
    """Probability of each class in each sound."""
    audio = np.stack([one.audio for one in generate(model, requests)])
    classes, probabilities = judge().probabilities(audio, model.info.sample_rate)[concept]
    return dict(zip(classes, np.asarray(probabilities).T, strict=True))


def test_prompts_are_followed(model: MusicGenModel) -> None:
    asked = [(style, lead) for style in STYLES for lead in LEADS]
    requests = [
        GenerationRequest(
            4.0, f"{style} music with {lead}", random_state=number, sampling=Sampling(top_k=250)
        )
        for number, (style, lead) in enumerate(asked)
    ]
    for concept, wanted, least in (("style", 0, 0.75), ("instrument", 1, 0.8)):
        probabilities = heard(model, requests, concept)
        names = np.array(list(probabilities))[np.stack(list(probabilities.values())).argmax(axis=0)]
        share = np.mean([name == one[wanted] for name, one in zip(names, asked, strict=True)])
        assert share >= least, f"{concept}: {share:.2f}, where chance is {1 / len(probabilities):.2f}"


def test_directions_of_styles_steer_every_pair_further_than_random_ones(model: MusicGenModel) -> None:
    means = class_means(model)
    random = np.random.default_rng(0)
    pairs = list(permutations(STYLES, 2))
    asked = []
    for source, target in pairs:
        steered = {layer: unit(means[target][layer] - means[source][layer]) for layer in LAYERS}
        control = {layer: unit(random.standard_normal(model.info.width)) for layer in LAYERS}
        asked += requests(source, steered) + requests(source, control)
    probabilities = heard(model, asked, "style")  # in a few large batches: each pass costs much the same
    gains = []
    for number, (_, target) in enumerate(pairs):
        steered_to, controls = probabilities[target].reshape(len(pairs), 2, -1)[number]
        gains.append(float(np.mean(steered_to - controls)))  # what their unsteered twins have cancels out
    assert np.mean(gains) >= 0.3, gains


def requests(style: str, vectors: dict[int, NDArray[Any]] | None = None) -> list[GenerationRequest]:
    """Every prompt of a style with every random state, steered at the layers that have a vector."""
    edits = tuple(Edit("resid", layer, vector, ALPHA) for layer, vector in (vectors or {}).items())
    return [
        GenerationRequest(
            4.0,
            text.format(style),
            random_state=state,
            sampling=Sampling(top_k=250),
            steering=Steering(edits),
        )
        for text in TEXTS
        for state in RANDOM_STATES
    ]


def class_means(model: MusicGenModel) -> dict[str, NDArray[Any]]:
    """Mean residual stream of each style over songs that nothing was trained on, told in words: (L, D)."""
    clips = [draw_clip("test", number) for number in range(CLIPS)]
    styles = [str(specimen(clip).labels["style"]) for clip in clips]
    audio = np.stack([render_clip(clip) for clip in clips]).astype(np.float32) / 32768
    spec = CaptureSpec(("resid",), tuple(range(model.info.layers)))
    rows = []
    for first in range(0, CLIPS, 16):
        codes = model.encode(torch.from_numpy(audio[first : first + 16])[:, None]).numpy()
        texts = [f"{style} music" for style in styles[first : first + 16]]
        rows.append(forward_activations(model, codes, spec, texts)["resid.mean"].numpy())
    values = np.concatenate(rows)
    return {style: values[np.array(styles) == style].mean(axis=0) for style in STYLES}


def unit(vector: NDArray[Any]) -> NDArray[Any]:
    """Of length one."""
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
