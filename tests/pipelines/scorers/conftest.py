"""Rendered clips that neither pocket-clap nor the judge was trained on."""

from pathlib import Path

import pytest

from training.pocket.labelled_clips import LabelledClips, labelled_clips

FRESH_SEED = 8_800_001


@pytest.fixture(scope="session")
def fresh_clips(tmp_path_factory: pytest.TempPathFactory) -> LabelledClips:
    """Eighty clips of four seconds at 16 kHz."""
    folder: Path = tmp_path_factory.mktemp("clips")
    return labelled_clips(folder, seed=FRESH_SEED, clips=80)
