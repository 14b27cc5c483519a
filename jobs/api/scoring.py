"""Python's `evaluate` and `sweep`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Unpack

from jobs.api.extraction import own_torch_threads
from jobs.api.keywords import Backend, Dtype, Work, documented, options_from
from jobs.api.runs import Run
from jobs.api.shown import lines
from jobs.api.stores import Store, url_of
from jobs.api.values import Names, names_text
from jobs.evaluate.options import EvaluateOptions
from jobs.sweep.options import SweepOptions
from store.errors import InvalidInput, counted

Prompts = Mapping[str, Sequence[str] | Mapping[str, str]]
"""By concept its classes, or by class the words that stand for it."""


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """What scorers made of clips or generations; every score is in the table `evaluations`."""

    items: int
    """How many were to be scored."""
    failed: int
    """How many could not be scored."""
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
        title = (
            f"Evaluation of {counted(self.items, 'item')} by {', '.join(self.scorers)}, {self.failed} failed"
        )
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


class Scored(Work, total=False):
    """What is scored, and by whom."""

    dataset: str | None
    generations: Annotated[
        str | None, 'or those that a query names, such as "SELECT generation_id FROM generations".'
    ]
    prompts: Annotated[
        Prompts | None,
        'by concept its classes, as in {"style": ["rock", "jazz"]}, or by class the words that stand for it, '
        'as in {"tempo": {"slow": "slow music", "fast": "fast music"}}.',
    ]
    template: str
    clap: Annotated[str | Path, '"pocket", a hub name, a folder of transformers, or a .pt file.']
    judge: bool
    scorers: Annotated[Sequence[str], "also store what these say of each sound: names of plug-ins."]


@documented(Scored, EvaluateOptions, engine="inline")
def evaluate(store: Store | str | Path, **given: Unpack[Scored]) -> Evaluation:
    """Score clips or generations with zero-shot CLAP: a softmax over the prompts of each concept.

    Args:
        store: a store, or its folder or URL.

    Raises:
        InvalidInput: nothing to score, or nothing to ask; there is no such scorer.
        NotFound: there is no such dataset, CLAP or audio.
    """
    from jobs.evaluate.running import run_evaluation, scorings
    from jobs.progress.reporters import told

    options = options_from(
        EvaluateOptions,
        given,
        {"scorers": ("scorers", tuple), "prompts": ("prompts", _prompts)},
        store=url_of(store),
    )
    with told(given.get("progress", False)), own_torch_threads():
        summary = run_evaluation(options)
    parts = scorings(summary, options)
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


class Swept(Work, total=False):
    """What a sweep needs beside its file."""

    run: Annotated[Run | str | None, "whose directions steer; needed where the store has several runs."]
    model: Annotated[str | Path, "folder of the run's model, where that was extracted from a folder."]
    scorers: Annotated[Names, "some of those that are built in, or plug-ins; None for all that are built in."]
    clap: Annotated[str | Path, "the CLAP that scores, as for `evaluate`."]
    batch: int
    unit: int
    backend: Backend
    dtype: Dtype
    dry_run: Annotated[bool, "say what would be done, and do nothing."]


@documented(Swept, SweepOptions, engine="inline", dry_run=False)
def sweep(store: Store | str | Path, sweep: str | Path, **given: Unpack[Swept]) -> Sweep:
    """Steer by every setting of a grid, and measure what it does beside its controls.

    Called again it goes on where it stopped; a changed file computes what is new.

    Args:
        store: a store, or its folder or URL.
        sweep: a TOML file, or the name of a sweep that comes with the project, such as "first-look".

    Raises:
        InvalidInput: the file or an argument cannot be used.
        NotFound: there is no such sweep, run or direction.
        JobFailed: the work cannot go on; what is committed stays.
    """
    from jobs.progress.reporters import told
    from jobs.sweep.sweeping import describe_sweep, run_sweep

    dry_run = given.pop("dry_run", False)
    own = {"run": ("run", _run_id), "scorers": ("scorers", names_text)}
    options = options_from(SweepOptions, given, own, store=url_of(store), sweep=str(sweep))
    with told(given.get("progress", False)), own_torch_threads():
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


def shipped_sweeps() -> dict[str, str]:
    """The files of the sweeps that come with the project by name, as text to copy and change.

    Examples:
        >>> "[[concepts]]" in shipped_sweeps()["first-look"]
        True
    """
    from jobs.sweep import configuration
    from jobs.user_files import read_text

    return {name: read_text(path) for name, path in configuration.shipped_sweeps().items()}


def _run_id(run: Run | str | None) -> str:
    return run.id if isinstance(run, Run) else run or ""


def _prompts(prompts: Prompts | None) -> dict[str, dict[str, str]]:
    return {concept: _words(classes) for concept, classes in (prompts or {}).items()}


def _words(classes: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(classes, str):
        raise InvalidInput(f"Classes {classes!r}: give a list of them, or their words by class.")
    return dict(classes) if isinstance(classes, Mapping) else {name: name for name in classes}
