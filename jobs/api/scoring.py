"""Python's `evaluate` and `sweep`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.api.extraction import DTYPES, own_torch_threads
from jobs.api.models import Device, Dtype
from jobs.api.runs import Run
from jobs.api.shown import lines
from jobs.api.stores import Store, url_of
from jobs.api.values import Names, names_text, roots_texts
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.execution import Engine
    from jobs.progress.reporters import Told

Prompts = Mapping[str, Sequence[str] | Mapping[str, str]]
"""By concept its classes, or by class the words that stand for it."""
TEMPLATE = "This is a sound of {}."


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """What scorers made of clips or generations; every score is in the table `evaluations`."""

    items: int
    """How many were to be scored."""
    failed: int
    """How many could not be heard."""
    scorers: tuple[str, ...]
    """Which ones, each with the fingerprint of its weights."""
    mean_probability: Mapping[str, Mapping[str, float]]
    """By concept and class, over all items."""
    accuracy: Mapping[str, float]
    """By concept that is a label: share of clips whose likeliest class is their label."""
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        means = {
            concept: ", ".join(f"{name} {value:.3f}" for name, value in classes.items())
            for concept, classes in self.mean_probability.items()
        }
        right = {f"{concept} named": f"{share:.3f}" for concept, share in self.accuracy.items()}
        notes = {f"note {place + 1}": note for place, note in enumerate(self.notes)}
        title = f"Evaluation of {self.items} items by {', '.join(self.scorers)}, {self.failed} failed"
        return lines(title, means | right | notes)


@dataclass(frozen=True, slots=True, repr=False)
class Sweep:
    """What became of a sweep; what it found is in the tables `transfers`, `effects` and `scorer_accuracy`."""

    name: str
    run: str
    """Whose directions steer."""
    model: str
    settings: int
    generations: int
    """That the sweep consists of."""
    generated: int
    """That were made now."""
    complete: bool
    """Whether every generation could be made; of a dry run, whether none is missing."""
    details: Mapping[str, Any]
    """What each scorer said, counts of effects, and notes; of a dry run, the time it will take."""

    def __repr__(self) -> str:
        values = {
            "run": f"{self.run}, {self.model}",
            "settings": f"{self.settings}",
            "generations": f"{self.generations}, {self.generated} made now"
            + ("" if self.complete else "; not complete"),
        }
        return lines(f"Sweep {self.name}", values | {name: str(one) for name, one in self.details.items()})


def evaluate(
    store: Store | str | Path,
    *,
    dataset: str | None = None,
    generations: str | None = None,
    prompts: Prompts | None = None,
    template: str = TEMPLATE,
    clap: str | Path = "pocket",
    judge: bool = False,
    scorers: Sequence[str] = (),
    device: Device = "auto",
    engine: "Engine" = "inline",
    address: str = "local",
    workers: int | None = None,
    threads: int = 1,
    gpus_per_worker: float = 1.0,
    roots: Mapping[str, str | Path] | None = None,
    shared_filesystem: bool = False,
    progress: "Told" = False,
) -> Evaluation:
    """Score clips or generations with zero-shot CLAP: a softmax over the prompts of each concept.

    Args:
        store: a store, or its folder or URL.
        dataset: score the clips of this dataset.
        generations: or those that a query names, such as "SELECT generation_id FROM generations".
        prompts: by concept its classes, as in {"style": ["rock", "jazz"]}, or by class the words that stand
            for it, as in {"tempo": {"slow": "slow music", "fast": "fast music"}}.
        template: what the words are put into; "{}" leaves them as they are.
        clap: "pocket", a hub name such as "laion/clap-htsat-unfused", a folder, or a .pt file.
        judge: also store what the built-in judge says of rendered music.
        scorers: also store what these say of each sound: names of plug-ins.
        device: "auto" takes a GPU where there is one.
        engine: "inline" works in this process, "ray" in several.
        address: of the Ray cluster; "local" for a private one.
        workers: for Ray, processes that hold a model.
        threads: torch threads per worker.
        gpus_per_worker: for Ray; a fraction lets workers share a GPU.
        roots: where the audio of a dataset is, by its name.
        shared_filesystem: for a Ray cluster, the store's folder is the same on every node.
        progress: True shows progress; a function is called with every `Progress`.

    Raises:
        InvalidInput: nothing to score, or nothing to ask; there is no such scorer.
        NotFound: there is no such dataset, CLAP or audio.
    """
    from jobs.evaluate.options import EvaluateOptions
    from jobs.evaluate.running import hearings, run_evaluation
    from jobs.progress.reporters import told

    options = EvaluateOptions(
        store=url_of(store),
        dataset=dataset,
        generations=generations,
        prompts={concept: _words(classes) for concept, classes in (prompts or {}).items()},
        template=template,
        clap=str(clap),
        judge=judge,
        scorers=tuple(scorers),
        device=device,
        engine=engine,
        address=address,
        workers=workers,
        threads=threads,
        gpus_per_worker=gpus_per_worker,
        roots=roots_texts(roots),
        shared_filesystem=shared_filesystem,
    )
    with told(progress), own_torch_threads():
        summary = run_evaluation(options)
    parts = hearings(summary, options)
    notes = [part["first_failure"] for part in parts.values() if "first_failure" in part]
    notes += [summary["note"]] if "note" in summary else []
    asked = [*options.sound_scorers, *([summary["clap"]] if "clap" in summary else [])]
    return Evaluation(
        items=summary["items"],
        failed=sum(part["failed"] for part in parts.values()),
        scorers=tuple(asked),
        mean_probability=summary.get("mean_probability", {}),
        accuracy=summary.get("accuracy", {}),
        notes=tuple(notes),
    )


def sweep(
    store: Store | str | Path,
    sweep: str | Path,
    *,
    run: Run | str | None = None,
    model: str | Path = "",
    scorers: Names = None,
    clap: str | Path = "pocket",
    batch: int = 32,
    unit: int = 64,
    dtype: Dtype = "float32",
    device: Device = "auto",
    engine: "Engine" = "inline",
    address: str = "local",
    workers: int | None = None,
    threads: int = 1,
    gpus_per_worker: float = 1.0,
    roots: Mapping[str, str | Path] | None = None,
    shared_filesystem: bool = False,
    dry_run: bool = False,
    progress: "Told" = False,
) -> Sweep:
    """Steer by every setting of a grid, and measure what it does beside its controls.

    Called again it goes on where it stopped; a changed file computes what is new.

    Args:
        store: a store, or its folder or URL.
        sweep: a TOML file, or the name of a sweep that comes with the project, such as "first-look".
        run: whose directions steer; needed where the store has several runs.
        model: folder of the run's model, where that was extracted from a folder.
        scorers: from "descriptors", "similarity", "features", "probe", "judge", "clap"; None for all.
        clap: the CLAP that scores, as for `evaluate`.
        batch: generations per pass.
        unit: generations per commit.
        dtype: of the decoder's matrices.
        device: "auto" takes a GPU where there is one.
        engine: "inline" works in this process, "ray" in several.
        address: of the Ray cluster; "local" for a private one.
        workers: for Ray, processes that hold a model.
        threads: torch threads per worker.
        gpus_per_worker: for Ray; a fraction lets workers share a GPU.
        roots: where the audio of a dataset is, by its name.
        shared_filesystem: for a Ray cluster, the store's folder is the same on every node.
        dry_run: say what would be done, and do nothing.
        progress: True shows progress; a function is called with every `Progress`.

    Raises:
        InvalidInput: the file or an argument cannot be used.
        NotFound: there is no such sweep, run or direction.
        JobFailed: the work cannot go on; what is committed stays.
    """
    if dtype not in DTYPES:
        raise InvalidInput(f"dtype {dtype!r} is not supported. Choose {', '.join(DTYPES)}.")
    from jobs.progress.reporters import told
    from jobs.sweep.options import SweepOptions
    from jobs.sweep.sweeping import describe_sweep, run_sweep

    options = SweepOptions(
        store=url_of(store),
        sweep=str(sweep),
        run=run.id if isinstance(run, Run) else run or "",
        model=str(model),
        clap=str(clap),
        scorers=names_text(scorers),
        batch=batch,
        unit=unit,
        device=device,
        dtype=DTYPES[dtype],
        engine=engine,
        address=address,
        workers=workers,
        threads=threads,
        gpus_per_worker=gpus_per_worker,
        roots=roots_texts(roots),
        shared_filesystem=shared_filesystem,
    )
    with told(progress), own_torch_threads():
        summary = describe_sweep(options) if dry_run else run_sweep(options)
    names = ("sweep", "run", "model", "settings", "generations", "generated", "complete")
    return Sweep(
        name=summary["sweep"],
        run=summary["run"],
        model=summary["model"],
        settings=summary["settings"],
        generations=summary["generations"],
        generated=summary.get("generated", 0),
        complete=not summary["missing"] if dry_run else summary["complete"],
        details={name: one for name, one in summary.items() if name not in names},
    )


def _words(classes: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(classes, str):
        raise InvalidInput(f"Classes {classes!r}: give a list of them, or their words by class.")
    return dict(classes) if isinstance(classes, Mapping) else {name: name for name in classes}
