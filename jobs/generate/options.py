"""Options of a generation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jobs.execution import Backend, Device, Dtype
from jobs.option import Option, check_values
from pipelines.generation import MOST_SECONDS
from pipelines.steering.edits import Kind, Scaling, SteeredRows


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """The options of `undertone generate` that decide one sound."""

    store: str
    output: Annotated[
        Path | None,
        Option(
            "The FLAC or WAV file to write; of several sounds the folder, which gets a page to listen to. "
            "The store keeps a copy.",
            short="-o",
            path="any",
            needed=True,
        ),
    ] = None
    """None, in Python: it is kept in the store alone."""
    prompt: str = ""
    seed: int = 0
    audio_prompt: Annotated[
        Path | None, Option("Continue this recording: its timbre and style are the source.")
    ] = None
    audio_start: Annotated[float, Option("Second at which the audio prompt begins.", least=0)] = 0.0
    audio_seconds: Annotated[
        float | None,
        Option("Length of the audio prompt; 5 s by default, or what there is.", least=0, exclusive=True),
    ] = None
    melody: Annotated[
        Path | None,
        Option("Follow the melody of this recording; for models that can, such as facebook/musicgen-melody."),
    ] = None
    seconds: Annotated[
        float | None,
        Option(
            "Length of the result, audio prompt included; 10 s more by default.",
            least=0,
            most=MOST_SECONDS,
            exclusive=True,
        ),
    ] = None
    directions: Annotated[
        tuple[str, ...],
        Option(
            "Steer along this direction of the view vectors; several are fused.",
            flag="--direction",
            metavar="ID",
        ),
    ] = ()
    alphas: Annotated[
        tuple[str, ...],
        Option(
            "Strength: once for all directions, or once for each; 0.5 by default, and 1, all "
            "of it, for an ablation. auto brings the music to the mean of the direction's "
            "class, with one direction per layer.",
            flag="--alpha",
            metavar="X|auto",
        ),
    ] = ()
    target_prompt: Annotated[
        str | None,
        Option("Text whose own effect on the activations --alpha auto may not exceed.", metavar="TEXT"),
    ] = None
    monitor: Annotated[
        str | None,
        Option(
            "Weaken the steering while the music is made: no edit once the class is as "
            "probable as P, weaker by DECAY before.",
            metavar="P[:DECAY]",
        ),
    ] = None
    site: Annotated[
        str | None,
        Option("Where to steer: resid, attn, head, xattn, mlp or embed; the direction's own by default."),
    ] = None
    layers: Annotated[
        str | None,
        Option(
            "Layers to steer, such as 4-7 or 3,5, by the directions that were fitted there like this one."
        ),
    ] = None
    kind: Annotated[
        Kind,
        Option(
            "Edit of an activation h along a direction r: h without its part along r, (h + "
            "αs·r)/(1 + α), or h + αs·r."
        ),
    ] = "interpolate"
    scaling: Annotated[
        Scaling,
        Option(
            "Scale s of the edit: the length of h, 1, or the length of h, to which the result "
            "is brought back."
        ),
    ] = "norm"
    schedules: Annotated[
        tuple[str, ...],
        Option(
            "Strength over time: linear-up[:SECONDS], linear-down[:SECONDS], "
            "exponential[:RATE per frame], window:A-B in seconds, every:N frames, "
            "bernoulli:P[:SEED]; commas join several. Always by default.",
            flag="--schedule",
        ),
    ] = ()
    rows: Annotated[
        SteeredRows,
        Option(
            "Passes that are steered under guidance: the one with conditions alone, or the "
            "one without them too."
        ),
    ] = "conditional"
    steer_prompt: Annotated[bool, Option("Steer while the audio prompt is read, too.")] = False
    away: Annotated[bool, Option("Allow negative strengths: away from the class.")] = False
    foreign: Annotated[bool, Option("Allow a direction of another model, site or layer.")] = False
    model: Annotated[
        str | None, Option("The model of the direction by default, else pocket.", metavar="NAME|PATH")
    ] = None
    backend: Backend = None
    guidance: Annotated[float, Option("Scale of classifier-free guidance; 1 is none.")] = 3.0
    temperature: Annotated[
        float, Option("Temperature of sampling; 0 takes the likeliest token.", least=0)
    ] = 1.0
    top_k: Annotated[int, Option("Sample among so many tokens; 0 among all.", least=0)] = 250
    top_p: Annotated[
        float,
        Option(
            "Sample among the likeliest tokens that together have this probability, instead of --top-k.",
            least=0,
            most=1,
        ),
    ] = 0.0
    capture: Annotated[
        str | None, Option("Store the generation's own activations as a run.", metavar="SITES")
    ] = None
    reduce: Annotated[str, Option("Reductions that --capture stores: mean, std, last, segments, frames.")] = (
        "mean"
    )
    device: Device = "auto"
    dtype: Dtype = "fp32"
    threads: Annotated[
        int,
        Option(
            "Torch threads on a CPU; more are faster for large models, and may change the last digits.",
            least=1,
        ),
    ] = 1

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True)
class Several:
    """What is asked for beside the options of one sound: each prompt with each seed, and their controls."""

    prompts: Annotated[
        tuple[str, ...],
        Option(
            "Text that says what it should sound like; none by default. Can be given several times.",
            flag="--prompt",
            metavar="TEXT",
        ),
    ] = ()
    """None: one sound without a text."""
    seeds: Annotated[
        tuple[int, ...],
        Option("Random state of the sampling. Can be given several times.  [default: 0]", flag="--seed"),
    ] = ()
    """None: 0."""
    with_twin: Annotated[bool, Option("Add to each steered sound the same without steering.")] = False
    with_random: Annotated[
        bool, Option("Add the same sounds steered along random directions of the same places.")
    ] = False

    @property
    def every_prompt(self) -> tuple[str, ...]:
        """The texts, at least one."""
        return self.prompts or ("",)

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The random states, at least one."""
        return self.seeds or (0,)

    @property
    def is_one(self) -> bool:
        """Whether one sound is all there is."""
        return len(self.prompts) < 2 and len(self.seeds) < 2 and not (self.with_twin or self.with_random)
