"""Convert a model from one checkpoint format to the other."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.user_files import check_outside_stores

if TYPE_CHECKING:
    from pipelines.models.conversion.converting import Converted


def converted(source: str, target: Path, *, codec: str | None = None) -> "Converted":
    """Write a model in the other format; see `pipelines.models.conversion.converting.convert`.

    Args:
        source: A folder, a `checkpoint.th`, or the name of a model.
        target: A folder that is not there yet.
        codec: For a `checkpoint.th`.

    Raises:
        InvalidInput: The target is there already, or lies in a store.
        ModelError: The source is missing, damaged, or has no counterpart in the other format.
        NotFound: There is no model of that name.
    """
    from pipelines.models.checkpoints import resolve_checkpoint
    from pipelines.models.conversion.converting import convert

    check_outside_stores(target)
    path = Path(source).expanduser()
    found = path if path.exists() else resolve_checkpoint(source).folder
    return convert(found, target, codec=codec)
