"""`undertone convert`: write a checkpoint in the other format, audiocraft's or that of transformers."""

from pathlib import Path
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option
from jobs.conversion import ConvertOptions, converted
from jobs.terminal.results import print_result


@click.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@options_of(ConvertOptions)
@format_option
def convert(format_: str, **values: Any) -> None:
    """Write the MusicGen of SOURCE into the new folder TARGET, in the other checkpoint format.

    A folder in audiocraft's format becomes one of transformers, and the other way; a checkpoint.th that
    Dora wrote while audiocraft trained becomes one in audiocraft's format. No value of any tensor changes,
    and back again it is the same model. TARGET gets its name when it is whole.

    \b
    Examples:
      undertone convert ./tuned ./tuned-transformers
      undertone convert ./from-the-hub ./in-audiocrafts-format
      undertone convert xps/1a2b3c4d/checkpoint.th ./tuned \\
        --codec facebook/encodec_32khz
    """
    done = converted(ConvertOptions(**values))
    print_result(
        {
            "folder": str(done.folder),
            "from": done.source_format,
            "format": done.format,
            "tensors": done.tensors,
            "bytes": done.nbytes,
        },
        format_,
    )
