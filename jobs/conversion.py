"""Convert a model from one checkpoint format to the other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from jobs.option import Option
from jobs.user_files import check_outside_stores

if TYPE_CHECKING:
    from pipelines.models.conversion.converting import Converted


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """Arguments of `undertone convert`, as given."""

    source: str
    """A folder, a `checkpoint.th`, or the name of a model."""
    target: Path
    """A folder that is not there yet."""
    codec: Annotated[
        str | None,
        Option(
            "Codec of a checkpoint.th: its compression_state_dict.bin, its own checkpoint.th, or a published "
            "one's name.",
            metavar="FILE|NAME",
        ),
    ] = None


def converted(options: ConvertOptions) -> "Converted":
    """Write a model in the other format; see `pipelines.models.conversion.converting.convert`.

    Raises:
        InvalidInput: The target is there already, or lies in a store.
        ModelError: The source is missing, damaged, or has no counterpart in the other format.
        NotFound: There is no model of that name.
    """
    from pipelines.models.checkpoints import resolve_checkpoint
    from pipelines.models.conversion.converting import convert

    target = options.target.expanduser()
    check_outside_stores(target)
    path = Path(options.source).expanduser()
    found = path if path.exists() else resolve_checkpoint(options.source).folder
    return convert(found, target, codec=options.codec)
