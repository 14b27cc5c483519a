"""Several generations at once: each prompt and seed with its controls, and a page to listen to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobs.directions.stored import read_vectors
from jobs.extract.spec import slug
from jobs.generate.edits import AUTO, choose_edits, usual_strength
from jobs.generate.generating import load_model, model_name, run_generation
from jobs.report.page import Figure, Page, Section, SoundGroup, anchor, embedded_sound
from jobs.report.rendering import render
from jobs.user_files import check_outside_stores
from store import open_store
from store.errors import InvalidInput, NotFound, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jobs.generate.edits import ChosenEdits
    from jobs.generate.options import GenerateOptions, Several
    from jobs.report.page import Sound
    from pipelines.models.protocol import LoadedModel
    from store.opening import Store
    from store.results.fits import VectorRow

    Load = Callable[[GenerateOptions, str], LoadedModel]

PAGE = "index.html"
STEERED, PLAIN, TWIN, RANDOM = "steered", "not steered", "twin", "random direction"
LONGEST_NAME = 40


def run_wanted(options: GenerateOptions, wanted: Several) -> dict[str, Any]:
    """Generate one sound into a file, or several into a folder; returns a summary.

    Raises:
        UndertoneError: something that was asked for is not possible.
    """
    if not wanted.is_one:
        return run_generations(options, wanted)
    (prompt,), (seed,) = wanted.every_prompt, wanted.every_seed
    return run_generation(replace(options, prompt=prompt, seed=seed))


def run_generations(options: GenerateOptions, wanted: Several) -> dict[str, Any]:
    """Generate every prompt with every seed into a folder with a page; returns a summary.

    What is stored already is not computed again, so an interrupted call goes on where it stopped.

    Raises:
        UndertoneError: something that was asked for is not possible.
    """
    store = open_store(options.store, create=not options.directions)
    folder = _checked_folder(options, wanted)
    chosen = choose_edits(store, options) if options.directions else None
    kinds = dict(_kinds(store, options, chosen, wanted))
    folder.mkdir(parents=True, exist_ok=True)
    load = _once()
    sections, made = [], list[dict[str, Any]]()
    for number, prompt in enumerate(wanted.every_prompt, start=1):
        groups = []
        for seed in wanted.every_seed:
            begun = f"{number:02}-{slug(prompt)[:LONGEST_NAME] if prompt else 'no-prompt'}-seed{seed}"
            sounds = []
            for kind, of_kind in kinds.items():
                path = folder / f"{begun}-{slug(kind)}.flac"
                one = replace(of_kind, prompt=prompt, seed=seed, output=path)
                one = _as_strong(one, made[-1] if kind == RANDOM else {})
                summary = run_generation(one, load=load)
                made.append({"prompt": prompt, "seed": seed, "kind": kind} | summary)
                sounds.append(_sound(kind, path, summary))
            groups.append(SoundGroup(f"seed {seed}", tuple(sounds)))
        sections.append(_section(number, prompt, groups))
    page = folder / PAGE
    page.write_text(_page(options, wanted, sections), encoding="utf-8")
    return {"page": str(page), "sounds": len(made), "generations": made}


def _checked_folder(options: GenerateOptions, wanted: Several) -> Path:
    """The folder to write; raises `InvalidInput` for what is not possible."""
    if options.output is None:
        raise InvalidInput("Several sounds are written into a folder: name one.")
    if options.output.suffix:
        raise InvalidInput(
            f"{options.output} is to be the folder of several sounds: leave out its ending "
            f"{options.output.suffix}."
        )
    if options.output.exists() and not options.output.is_dir():
        raise InvalidInput(f"{options.output} is a file: name a folder for several sounds.")
    check_outside_stores(options.output)
    for option, given in (("--with-twin", wanted.with_twin), ("--with-random", wanted.with_random)):
        if given and not options.directions:
            raise InvalidInput(f"{option} has no effect without --direction.")
    if wanted.with_random and options.foreign:
        raise InvalidInput("--with-random draws at the directions' own places: leave out --foreign.")
    return options.output


def _kinds(
    store: Store, options: GenerateOptions, chosen: ChosenEdits | None, wanted: Several
) -> Iterator[tuple[str, GenerateOptions]]:
    """The options of each sound of a prompt and seed, the steered one before its controls."""
    if chosen is None:
        yield PLAIN, options
        return
    options = replace(options, model=model_name(options, chosen))
    if wanted.with_twin:
        yield TWIN, _unsteered(options)
    yield STEERED, options
    if wanted.with_random:
        yield RANDOM, _random(store, options, chosen)


def _unsteered(options: GenerateOptions) -> GenerateOptions:
    return replace(
        options, directions=(), alphas=(), schedules=(), monitor=None, target_prompt=None, away=False,
        rows="conditional", steer_prompt=False, site=None, layers=None,
    )  # fmt: skip


def _random(store: Store, options: GenerateOptions, chosen: ChosenEdits) -> GenerateOptions:
    """The same edits along random directions of the same places."""
    directions = tuple(_random_like(store, chosen.vectors[edit.vector_id]).vector_id for edit in chosen.edits)
    alphas = tuple(str(edit.alpha) for edit in chosen.edits)
    schedules = tuple(str(edit.schedule) for edit in chosen.edits)
    return replace(
        options, directions=directions, alphas=alphas, schedules=schedules, site=None, layers=None,
        target_prompt=None,
    )  # fmt: skip


def _random_like(store: Store, vector: VectorRow) -> VectorRow:
    """A random direction of the run, site and layer of a fitted one; raises `NotFound`."""
    where = (
        f"method = 'random' AND run_id = '{vector.run_id}' AND site = '{vector.site}' "
        f"AND layer = {vector.layer} AND reduction = '{vector.reduction}' "
        f"AND head IS NOT DISTINCT FROM {'NULL' if vector.head is None else vector.head}"
    )
    if found := read_vectors(store, where):
        return min(found, key=lambda one: (one.random_seed or 0, one.vector_id))
    raise NotFound(
        f"There is no random direction at {vector.site} of layer {vector.layer} of run {vector.run_id}: "
        "draw some with `undertone directions STORE RUN --labels … --method random`."
    )


def _as_strong(options: GenerateOptions, steered: dict[str, Any]) -> GenerateOptions:
    """With the strengths that were found for the steered sound, where they were to be found."""
    found = steered.get("alphas")
    return replace(options, alphas=tuple(map(str, found))) if found else options


def _once() -> Load:
    """A loader that keeps the model between generations."""
    kept: dict[str, LoadedModel] = {}

    def load(options: GenerateOptions, name: str) -> LoadedModel:
        if name not in kept:
            kept[name] = load_model(options, name)
        return kept[name]

    return load


def _sound(kind: str, path: Path, summary: dict[str, Any]) -> Sound:
    alphas = summary.get("alphas")
    said = "" if alphas is None else f", α {', '.join(f'{alpha:.3g}' for alpha in alphas)}"
    return embedded_sound(f"{kind}{said}", path.read_bytes(), path.name, note=path.name)


def _section(number: int, prompt: str, groups: Sequence[SoundGroup]) -> Section:
    title = prompt or "(no prompt)"
    figure = Figure(
        name=anchor("sounds", number),
        title="Sounds",
        caption="Sounds of one seed begin from the same noise.",
        sounds=tuple(groups),
    )
    return Section(anchor("prompt", number), title, figures=(figure,))


def _page(options: GenerateOptions, wanted: Several, sections: Sequence[Section]) -> str:
    from importlib.metadata import version

    steering = f"steered along {', '.join(options.directions)}" if options.directions else "not steered"
    if options.directions and AUTO not in options.alphas:
        steering += f", α {', '.join(options.alphas) or usual_strength(options)}"
    prompts, seeds = len(wanted.every_prompt), len(wanted.every_seed)
    made = f"{counted(prompts, 'prompt')} × {counted(seeds, 'seed')}"
    page = Page(title="Generated music", subtitle=f"{made}, {steering}.", sections=sections)
    return render(page, generator=f"undertone {version('undertone')}")
