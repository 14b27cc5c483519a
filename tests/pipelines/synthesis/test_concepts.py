"""Is every clip of a grid drawn once, evenly and for its own sake?"""

from collections import Counter

import pytest

from pipelines.synthesis import CONCEPTS
from pipelines.synthesis.concepts import cell

AXES = {"colour": ("red", "green", "blue"), "size": range(4), "shape": ("round", "square")}


def test_the_order_lists_every_cell_once() -> None:
    cells = [tuple(cell(AXES, index, 5, "toys").values()) for index in range(24)]
    assert len(set(cells)) == 24


def test_every_block_has_every_main_label_once() -> None:
    colours = [cell(AXES, index, 5, "toys")["colour"] for index in range(24)]
    assert all(set(colours[start : start + 3]) == {"red", "green", "blue"} for start in range(0, 24, 3))


def test_another_seed_gives_another_order_of_the_same_cells() -> None:
    one, other = ([tuple(cell(AXES, index, seed).values()) for index in range(24)] for seed in (0, 1))
    assert one != other
    assert set(one) == set(other)


@pytest.mark.parametrize("name", CONCEPTS)
def test_any_number_of_clips_is_balanced_in_the_main_label(name: str) -> None:
    concept = CONCEPTS[name]
    counts = Counter(concept.specimen(3, index).labels[concept.label] for index in range(397))
    renderings = 2 if name == "styles" else 1
    assert max(counts.values()) - min(counts.values()) <= renderings


def test_two_clips_of_a_metronome_never_share_their_track_and_place() -> None:
    concept = CONCEPTS["time_signatures"]
    clips = [concept.specimen(0, index) for index in range(concept.size)]
    assert len({(clip.group, clip.score(4.0).start_seconds) for clip in clips}) == concept.size
