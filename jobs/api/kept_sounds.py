"""Python's `generate_into`, `generate_page` and `stored_sound`: generations that a store keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from jobs.api.directions import Direction
from jobs.api.extraction import own_torch_threads
from jobs.api.keywords import Backend, Device, Dtype, Sampled, SteeredPasses, documented, options_from
from jobs.api.sounds import Sound
from jobs.api.stores import Store, open_store, url_of
from jobs.api.values import Layers, Names, layers_text, names_text
from jobs.generate.options import GenerateOptions
from store.errors import InvalidInput

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


class Steered(Sampled, SteeredPasses, total=False):
    """All that decides a sound but its text and random state."""

    model: str | Path | None
    directions: Annotated[
        Direction | str | Sequence[Direction | str], "stored ones, as they are or by their ids."
    ]
    alpha: Annotated[
        Alpha | Sequence[Alpha] | None,
        'strength, one for all or one each; "auto" finds it; by default 0.5, or 1 for "ablate".',
    ]
    site: Annotated[str | None, "apply the directions of the same fit at this site."]
    layers: Annotated[Layers, "and at these layers."]
    schedule: Annotated[str | Sequence[str], 'over time, one for all or one each, such as "linear-down:4".']
    target_prompt: Annotated[str | None, "caps automatic strengths by what this text alone would change."]
    monitor: Annotated[
        float | tuple[float, float] | None,
        "probability at which the steering eases off, or (probability, decay).",
    ]
    audio_prompt: Annotated[str | Path | None, "a file to continue."]
    audio_start: float
    audio_seconds: float | None
    melody: Annotated[str | Path | None, "a file to follow, for models that take one."]
    capture: Annotated[Names, "sites whose activations are kept as a run."]
    reductions: Annotated[Names, "what is kept of them over time."]
    device: Device
    backend: Backend
    dtype: Dtype
    threads: int


class SteeredOnce(Steered, total=False):
    """And the random state of one sound."""

    seed: Annotated[int, "of the sampling noise."]


@documented(SteeredOnce, GenerateOptions, named={"alpha": "alphas", "schedule": "schedules"})
def generate_into(store: Store | str | Path, text: str = "", **given: Unpack[SteeredOnce]) -> Generation:
    """Generate a sound and keep it in a store, as `undertone generate` does; what is there is not made again.

    Args:
        store: a store, or its folder or URL, which is made where there is none.
        text: text condition; "" for none.

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

    options = options_from(GenerateOptions, given, CONVERSIONS, store=url_of(store), prompt=str(text))
    with told(given.get("progress", False)), own_torch_threads():
        summary = run_generation(options)
    return Generation(
        id=summary["generation"],
        twin_id=summary["twin"],
        sound=stored_sound(store, summary["generation"]),
        run_id=summary.get("run", ""),
        alphas=tuple(summary.get("alphas", ())),
        notes=(summary["note"],) if "note" in summary else (),
    )


@documented(Steered, GenerateOptions, named={"alpha": "alphas", "schedule": "schedules"})
def generate_page(
    store: Store | str | Path,
    folder: str | Path,
    texts: str | Sequence[str] = "",
    *,
    seeds: int | Sequence[int] = 0,
    with_twin: bool = False,
    with_random: bool = False,
    **given: Unpack[Steered],
) -> Path:
    """Generate every text with every seed into a folder, with a page that plays them side by side.

    Args:
        store: a store, or its folder or URL, which keeps the sounds, too.
        folder: where to write; what is there already is not computed again.
        texts: text conditions.
        seeds: of the sampling noise.
        with_twin: beside each steered sound the same without steering.
        with_random: and the same along random directions of the same places.

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
    output = Path(folder).expanduser()
    options = options_from(GenerateOptions, given, CONVERSIONS, store=url_of(store), output=output)
    with told(given.get("progress", False)), own_torch_threads():
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


def _unless_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda given: None if given is None else convert(given)


CONVERSIONS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "model": ("model", _unless_none(str)),
    "directions": ("directions", _vector_ids),
    "alpha": ("alphas", _strengths),
    "layers": ("layers", _unless_none(layers_text)),
    "schedule": ("schedules", lambda given: (given,) if isinstance(given, str) else tuple(given)),
    "monitor": ("monitor", _unless_none(_monitor_text)),
    "audio_prompt": ("audio_prompt", _unless_none(Path)),
    "melody": ("melody", _unless_none(Path)),
    "capture": ("capture", lambda given: names_text(given) or None),
}
"""By argument: the option, and what makes its value."""
