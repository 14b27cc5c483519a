"""`undertone generate`: make music from a text, a recording's beginning or nothing, steered or not."""

from pathlib import Path
from typing import Any

import click

from jobs.cli.options import (
    device_option,
    dtype_option,
    format_option,
    print_result,
)
from jobs.generate.options import GenerateOptions


@click.command()
@click.argument("store")
@click.option(
    "--prompt", "prompts", multiple=True, metavar="TEXT",
    help="What it should sound like; nothing by default. May be given several times.",
)  # fmt: skip
@click.option(
    "--audio-prompt",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Continue this recording: its timbre and style are the source.",
)
@click.option(
    "--audio-start", default=0.0, show_default=True, help="Second at which the audio prompt begins."
)
@click.option(
    "--audio-seconds", type=float, help="Length of the audio prompt; 5 s by default, or what there is."
)
@click.option(
    "--melody",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Follow the melody of this recording; for models that can, such as facebook/musicgen-melody.",
)
@click.option(
    "--seconds", type=float, help="Length of the result, audio prompt included; 10 s more by default."
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    type=int,
    help="Random state of the sampling; may be several.  [default: 0]",
)
@click.option("--with-twin", is_flag=True, help="Beside each steered sound the same without steering.")
@click.option("--with-random", is_flag=True, help="And the same along random directions of the same places.")
@click.option(
    "--direction",
    "directions",
    multiple=True,
    metavar="ID",
    help="Steer along this direction of the view vectors; several are fused.",
)
@click.option(
    "--alpha",
    "alphas",
    multiple=True,
    metavar="X|auto",
    help="How strongly: once for all directions, or once for each; 0.5 by default, and 1, all of it, for an "
    "ablation. auto brings the music to the mean of the direction's class, with one direction per layer.",
)
@click.option(
    "--target-prompt", metavar="TEXT", help="Cap --alpha auto by what this text alone would change."
)
@click.option(
    "--monitor",
    metavar="P[:DECAY]",
    help="Ease off while it plays: no edit once the class is as probable as P, weaker by DECAY before.",
)
@click.option(
    "--site", help="Where to steer: resid, attn, xattn, mlp or embed; the direction's own by default."
)
@click.option("--layers", help="4-7 or 3,5: the directions fitted like this one at those layers.")
@click.option(
    "--kind",
    default="interpolate",
    show_default=True,
    type=click.Choice(["interpolate", "add", "ablate"]),
    help="(h + αs·r)/(1 + α), h + αs·r, or h without its part along r.",
)
@click.option(
    "--scaling",
    default="norm",
    show_default=True,
    type=click.Choice(["norm", "unit", "norm_restored"]),
    help="s: the length of h, 1, or the length of h, which the result is brought back to.",
)
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    help="When: linear-up[:SECONDS], linear-down[:SECONDS], exponential[:RATE per frame], window:A-B in "
    "seconds, every:N frames, bernoulli:P[:SEED]; commas join several. Always by default.",
)
@click.option(
    "--rows",
    default="conditional",
    show_default=True,
    type=click.Choice(["conditional", "both"]),
    help="Under guidance, steer the pass with conditions alone or the one without them too.",
)
@click.option("--steer-prompt", is_flag=True, help="Steer while the audio prompt is read, too.")
@click.option("--away", is_flag=True, help="Allow negative strengths: away from the class.")
@click.option("--foreign", is_flag=True, help="Allow a direction of another model, site or layer.")
@click.option("--model", metavar="NAME|PATH", help="The model of the direction by default, else pocket.")
@click.option("--guidance", default=3.0, show_default=True, help="Of classifier-free guidance; 1 is none.")
@click.option(
    "--temperature", default=1.0, show_default=True, help="Of sampling; 0 takes the likeliest token."
)
@click.option("--top-k", default=250, show_default=True, help="Sample among so many tokens; 0 among all.")
@click.option("--top-p", default=0.0, show_default=True, help="Or among those that are together so probable.")
@click.option("--capture", metavar="SITES", help="Store the generation's own activations as a run.")
@click.option(
    "--reduce", default="mean", show_default=True, help="Of --capture: mean, std, last, segments, frames."
)
@device_option
@dtype_option
@click.option(
    "--threads",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Torch threads on a CPU; more are faster for large models, and may change the last digits.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The FLAC or WAV file to write; of several sounds the folder, which gets a page to listen to. The "
    "store keeps a copy.",
)
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
      undertone generate music.store --audio-prompt rock.mp3 --direction 3f2a --alpha 0.5 -o steered.flac
      undertone generate music.store --prompt rock --direction 3f2a --alpha auto --target-prompt jazz -o a.wav
      undertone generate music.store --prompt rock --prompt "slow jazz" --seed 0 --seed 1 --direction 3f2a \\
        --with-twin --with-random -o listen
      undertone generate music.store --direction 3f2a --direction 9c01 --alpha 0.3 \\
        --schedule linear-down --schedule linear-up -o from-one-to-the-other.wav
    """
    from jobs.generate.generating import run_generation
    from jobs.generate.several import Several, run_generations

    prompts, seeds = prompts or ("",), seeds or (0,)
    if len(prompts) * len(seeds) > 1 or with_twin or with_random:
        summary = run_generations(GenerateOptions(**values), Several(prompts, seeds, with_twin, with_random))
        print_result(summary if format_ == "json" else _counted(summary), format_)
    else:
        print_result(run_generation(GenerateOptions(prompt=prompts[0], seed=seeds[0], **values)), format_)


def _counted(summary: dict[str, Any]) -> dict[str, Any]:
    """For eyes: the page and how many sounds it plays; programs get each of them."""
    return {"page": summary["page"], "sounds": summary["sounds"]}
