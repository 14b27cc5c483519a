"""`undertone generate`: make music from a text, a recording's beginning or nothing, steered or not."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option
from jobs.generate.options import GenerateOptions, Several
from jobs.terminal.results import print_result


@click.command()
@click.argument("store")
@options_of(Several)
@options_of(GenerateOptions)
@format_option
def generate(
    format_: str,
    prompts: tuple[str, ...],
    seeds: tuple[int, ...],
    with_twin: bool,
    with_random: bool,
    **values: Any,
) -> None:
    """Generate music with MusicGen, steered along directions of STORE or not.

    The sound, with everything that decides it, is kept in the store and shown by the view generations. The
    same options give the same sound (on another processor, where two tokens tie, perhaps another), and every
    steered one has an unsteered twin of the same noise. With several prompts or seeds, --with-twin or
    --with-random every combination is made; index.html in the folder plays them side by side, and needs no
    other file.

    \b
    Examples:
      undertone generate music.store --prompt "slow jazz with piano" -o jazz.wav
      undertone generate music.store --audio-prompt rock.mp3 --direction 3f2a \\
        --alpha 0.5 -o steered.flac
      undertone generate music.store --prompt rock --direction 3f2a --alpha auto \\
        --target-prompt jazz -o a.wav
      undertone generate music.store --prompt rock --prompt "slow jazz" --seed 0 \\
        --seed 1 --direction 3f2a --with-twin --with-random -o listen
      undertone generate music.store --direction 3f2a --direction 9c01 \\
        --alpha 0.3 --schedule linear-down --schedule linear-up \\
        -o from-one-to-the-other.wav
    """
    from jobs.generate.several import run_wanted

    wanted = Several(prompts, seeds, with_twin, with_random)
    summary = run_wanted(GenerateOptions(**values), wanted)
    if format_ == "text" and not wanted.is_one:
        summary = {"page": summary["page"], "sounds": summary["sounds"]}  # programs get each of them
    print_result(summary, format_)
