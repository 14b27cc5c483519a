"""The words of the training captions."""

from functools import lru_cache

import numpy as np

from pipelines.pocket.training.captions import draw_caption
from pipelines.pocket.training.clips import draw_clip, specimen

CAPTIONS, CLIPS = 6_000, 300


@lru_cache(maxsize=1)
def trained_words() -> frozenset[str]:
    """Words of many captions, without punctuation; whatever is not here was hardly ever seen."""
    generator = np.random.default_rng(0)
    labels = [specimen(draw_clip("train", index)).labels for index in range(CLIPS)]
    captions = [draw_caption(labels[number % CLIPS], generator) for number in range(CAPTIONS)]
    return frozenset(word.strip(",#") for caption in captions for word in caption.split())
