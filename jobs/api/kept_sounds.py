"""Python's `generate_into`, `generate_page` and `stored_sound`: generations that a store keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jobs.api.directions import Direction
from jobs.api.extraction import ALL_REDUCTIONS, ALL_SITES, DTYPES, own_torch_threads
from jobs.api.models import Device, Dtype
from jobs.api.sounds import Sound
from jobs.api.stores import Store, open_store
from jobs.api.values import Layers, Names, layers_text, names_text
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.generate.options import GenerateOptions
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
    from jobs.progress.reporters import told

    options = _options(
        store,
        text=text,
        model=model,
        directions=directions,
        alpha=alpha,
        site=site,
        layers=layers,
        kind=kind,
        scaling=scaling,
        schedule=schedule,
        rows=rows,
        steer_prompt=steer_prompt,
        away=away,
        foreign=foreign,
        target_prompt=target_prompt,
        monitor=monitor,
        seconds=seconds,
        seed=seed,
        audio_prompt=audio_prompt,
        audio_start=audio_start,
        audio_seconds=audio_seconds,
        melody=melody,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        capture=capture,
        reductions=reductions,
        device=device,
        dtype=dtype,
        threads=threads,
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


def generate_page(
    store: Store | str | Path,
    folder: str | Path,
    texts: str | Sequence[str] = "",
    *,
    seeds: int | Sequence[int] = 0,
    with_twin: bool = False,
    with_random: bool = False,
    progress: "Told" = False,
    **others: Any,
) -> Path:
    """Generate every text with every seed into a folder, with a page that plays them side by side.

    Args:
        store: a store, or its folder or URL, which keeps the sounds, too.
        folder: where to write; what is there already is not computed again.
        texts: text conditions.
        seeds: of the sampling noise.
        with_twin: beside each steered sound the same without steering.
        with_random: and the same along random directions of the same places.
        progress: True shows progress; a function is called with every `Progress`.
        others: what `generate_into` takes: model, directions, alpha, seconds …

    Returns:
        The page, to be opened in a browser.

    Raises:
        NotFound: there is no such model, direction or file.
        InvalidInput: what is asked for is not possible, or has no effect.
    """
    from jobs.generate.options import Several
    from jobs.generate.several import run_generations
    from jobs.progress.reporters import told

    wanted = Several(
        (texts,) if isinstance(texts, str) else tuple(texts),
        (seeds,) if isinstance(seeds, int) else tuple(seeds),
        with_twin,
        with_random,
    )
    options = _options(store, output=Path(folder).expanduser(), **others)
    with told(progress), own_torch_threads():
        return Path(run_generations(options, wanted)["page"])


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


def _options(store: Store | str | Path, **given: Any) -> "GenerateOptions":
    """Values of Python as the options of the command say them."""
    from jobs.generate.options import GenerateOptions

    converted: dict[str, Any] = {"store": store.url if isinstance(store, Store) else str(store)}
    for name, value in given.items():
        called, convert = CONVERSIONS.get(name, (name, lambda one: one))
        converted[called] = convert(value)
    return GenerateOptions(**converted)


def _vector_id(direction: Direction | str) -> str:
    if isinstance(direction, str):
        return direction
    if direction.vector_id is None:
        raise InvalidInput(
            "This direction is not stored, and a store keeps no sound whose direction it does not have: take "
            "one of directions(run, …), or steer with `steer` and `generate`."
        )
    return direction.vector_id


def _vector_ids(directions: Direction | str | Sequence[Direction | str]) -> tuple[str, ...]:
    chosen = [directions] if isinstance(directions, Direction | str) else directions
    return tuple(map(_vector_id, chosen))


def _strengths(alpha: Alpha | Sequence[Alpha] | None) -> tuple[str, ...]:
    given = () if alpha is None else (alpha,) if isinstance(alpha, str | int | float) else alpha
    return tuple(one if isinstance(one, str) else repr(float(one)) for one in given)


def _monitor_text(monitor: float | tuple[float, float]) -> str:
    numbers = monitor if isinstance(monitor, tuple) else (monitor,)
    return ":".join(repr(float(one)) for one in numbers)


def _dtype(dtype: Dtype) -> str:
    if dtype not in DTYPES:
        raise InvalidInput(f"dtype {dtype!r} is not supported. Choose {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def _unless_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda given: None if given is None else convert(given)


CONVERSIONS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "text": ("prompt", str),
    "model": ("model", _unless_none(str)),
    "directions": ("directions", _vector_ids),
    "alpha": ("alphas", _strengths),
    "layers": ("layers", _unless_none(layers_text)),
    "schedule": ("schedules", lambda given: (given,) if isinstance(given, str) else tuple(given)),
    "monitor": ("monitor", _unless_none(_monitor_text)),
    "audio_prompt": ("audio_prompt", _unless_none(Path)),
    "melody": ("melody", _unless_none(Path)),
    "capture": ("capture", lambda given: names_text(given, every=ALL_SITES) or None),
    "reductions": ("reduce", lambda given: names_text(given, every=ALL_REDUCTIONS)),
    "dtype": ("dtype", _dtype),
}
"""By argument: the option, and what makes its value."""
