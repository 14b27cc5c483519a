"""Python's `generate_into` and `stored_sound`: generations that a store keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jobs.api.directions import Direction
from jobs.api.extraction import DTYPES, own_torch_threads
from jobs.api.models import Device, Dtype
from jobs.api.sounds import Sound
from jobs.api.stores import Store, open_store
from jobs.api.values import Layers, Names, layers_text, names_text
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.progress.reporters import Told
    from pipelines.steering.edits import Kind, Scaling, SteeredRows

Alpha = float | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Generation:
    """A sound that a store keeps."""

    id: str
    """Of the row in the table `generations`: equal ids sound alike."""
    twin_id: str
    """Of the same without edits; "" where there are none."""
    sound: Sound
    run_id: str
    """Of the run that keeps its activations; "" where none were asked for."""
    alphas: tuple[float, ...]
    """Strengths that were found, one per edit; empty where none were to be found."""
    notes: tuple[str, ...]


def generate_into(
    store: Store | str | Path,
    text: str = "",
    *,
    model: str | Path | None = None,
    directions: Direction | str | Sequence[Direction | str] = (),
    alpha: Alpha | Sequence[Alpha] | None = None,
    site: str | None = None,
    layers: Layers = None,
    kind: "Kind" = "interpolate",
    scaling: "Scaling" = "norm",
    schedule: str | Sequence[str] = (),
    rows: "SteeredRows" = "conditional",
    steer_prompt: bool = False,
    away: bool = False,
    foreign: bool = False,
    target_prompt: str | None = None,
    monitor: float | tuple[float, float] | None = None,
    seconds: float | None = None,
    seed: int = 0,
    audio_prompt: str | Path | None = None,
    audio_start: float = 0.0,
    audio_seconds: float | None = None,
    melody: str | Path | None = None,
    guidance: float = 3.0,
    temperature: float = 1.0,
    top_k: int = 250,
    top_p: float = 0.0,
    capture: Names = (),
    reductions: Names = "mean",
    device: Device = "auto",
    dtype: Dtype = "float32",
    threads: int = 1,
    progress: "Told" = False,
) -> Generation:
    """Generate a sound and keep it in a store, as `undertone generate` does; what is there is not made again.

    Args:
        store: a store, or its folder or URL, which is made where there is none.
        text: text condition; "" for none.
        model: name or folder; by default that of the directions, or "pocket".
        directions: stored ones, as they are or by their ids.
        alpha: strength, one for all or one each; "auto" finds it; by default 0.5, or 1 for "ablate".
        site: apply the directions of the same fit at this site.
        layers: and at these layers.
        kind: "interpolate", "add" or "ablate".
        scaling: "norm", "unit" or "norm_restored".
        schedule: over time, one for all or one each, such as "linear-down:4".
        rows: under classifier-free guidance, "conditional" or "both".
        steer_prompt: edit the frames of an audio prompt too.
        away: allow negative strengths.
        foreign: allow another model or place than the directions were found in.
        target_prompt: caps automatic strengths by what this text alone would change.
        monitor: probability at which the steering eases off, or (probability, decay).
        seconds: length, an audio prompt included; by default 10, and as much more as the prompt lasts.
        seed: of the sampling noise.
        audio_prompt: a file to continue.
        audio_start: where in it the prompt begins, in seconds.
        audio_seconds: how much of it; by default 5, or what there is.
        melody: a file to follow, for models that take one.
        guidance: of classifier-free guidance; 1: none.
        temperature: of sampling.
        top_k: sample among so many tokens; 0: all.
        top_p: or among the tokens that together are so probable; 0: not used.
        capture: sites whose activations are kept as a run.
        reductions: what is kept of them over time.
        device: "auto" takes a GPU where there is one.
        dtype: of the decoder's matrices.
        threads: torch threads.
        progress: True shows progress; a function is called with every `Progress`.

    Raises:
        NotFound: there is no such model, direction or file.
        InvalidInput: what is asked for is not possible, or has no effect.

    Examples:
        >>> kept = generate_into(store, "rock", model="pocket-random", seconds=1)
        >>> stored_sound(store, kept.id).seconds
        1.0
    """
    from jobs.generate.generating import run_generation
    from jobs.generate.options import GenerateOptions
    from jobs.progress.reporters import told

    if dtype not in DTYPES:
        raise InvalidInput(f"dtype {dtype!r} is not supported. Choose {', '.join(DTYPES)}.")
    chosen = [directions] if isinstance(directions, Direction | str) else list(directions)
    strengths = () if alpha is None else (alpha,) if isinstance(alpha, str | int | float) else tuple(alpha)
    sites = names_text(capture, every="embed,resid,attn,xattn,mlp")
    options = GenerateOptions(
        store=store.url if isinstance(store, Store) else str(store),
        prompt=text,
        model=None if model is None else str(model),
        seconds=seconds,
        seed=seed,
        audio_prompt=None if audio_prompt is None else Path(audio_prompt),
        audio_start=audio_start,
        audio_seconds=audio_seconds,
        melody=None if melody is None else Path(melody),
        directions=tuple(map(_vector_id, chosen)),
        alphas=tuple(one if isinstance(one, str) else repr(float(one)) for one in strengths),
        site=site,
        layers=None if layers is None else layers_text(layers),
        kind=kind,
        scaling=scaling,
        schedules=(schedule,) if isinstance(schedule, str) else tuple(schedule),
        rows=rows,
        steer_prompt=steer_prompt,
        away=away,
        foreign=foreign,
        target_prompt=target_prompt,
        monitor=_monitor_text(monitor),
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        capture=sites or None,
        reduce=names_text(reductions, every="mean,std,last,segments,frames"),
        device=device,
        threads=threads,
        dtype=DTYPES[dtype],
    )
    with told(progress), own_torch_threads():
        summary = run_generation(options)
    return Generation(
        id=summary["generation"],
        twin_id=summary["twin"],
        sound=stored_sound(store, summary["generation"]),
        run_id=summary.get("run", ""),
        alphas=tuple(summary.get("alphas", ())),
        notes=(summary["note"],) if "note" in summary else (),
    )


def stored_sound(store: Store | str | Path, generation_id: str) -> Sound:
    """The sound of a stored generation, one of a sweep among them.

    Args:
        store: a store, or its folder or URL.
        generation_id: as the table `generations` has it.

    Raises:
        NotFound: there is none.
        CorruptData: what is stored is no sound.
    """
    from jobs.generate.records import read_sound

    opened = store if isinstance(store, Store) else open_store(store)
    samples, sample_rate = read_sound(opened.opened, generation_id)
    known = opened.sql(
        "SELECT text, random_state FROM generations WHERE generation_id = $one LIMIT 1", one=generation_id
    ).rows()
    return Sound(samples, sample_rate, known[0]["text"], known[0]["random_state"])


def _vector_id(direction: Direction | str) -> str:
    if isinstance(direction, str):
        return direction
    if direction.vector_id is None:
        raise InvalidInput(
            "This direction is not stored, and a store keeps no sound whose direction it does not have: take "
            "one of directions(run, …), or steer with `steer` and `generate`."
        )
    return direction.vector_id


def _monitor_text(monitor: float | tuple[float, float] | None) -> str | None:
    if monitor is None:
        return None
    numbers = monitor if isinstance(monitor, tuple) else (monitor,)
    return ":".join(repr(float(one)) for one in numbers)
