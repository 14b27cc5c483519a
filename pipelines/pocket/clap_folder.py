"""The audio encoder of the CLAP that comes with the package, as a model by name."""

from pathlib import Path

from pipelines.models.protocol import ModelSource

FOLDER = Path(__file__).parent / "clap"


def shipped_clap() -> Path:
    """Where it lies, in the format of transformers."""
    return FOLDER


MODEL = ModelSource(shipped_clap)
