"""Run a sweep from its file to its effects, doing only what is missing."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.effects.scores import ScorerAccuracy, accuracy_of
from analysis.effects.trials import designs_of
from jobs.engine.ray_session import ray_session
from jobs.evaluate.items import Items, clips_of, generations_with
from jobs.evaluate.scorers import scorer_version
from jobs.evaluate.scoring import Scoring, score_items
from jobs.evaluate.zero_shot import PromptSet, score_prompts
from jobs.execution import FitExecution
from jobs.extract.planning import DTYPES
from jobs.generate.records import stored_generations
from jobs.sweep.configuration import find_sweep, read_sweep
from jobs.sweep.directions import find_directions, fit_missing_directions
from jobs.sweep.expansion import REDUCTION, ExpandedSweep, expand_sweep, only_run
from jobs.sweep.held_out_probe import SCORER, fit_held_out_probes
from jobs.sweep.options import SweepOptions
from jobs.sweep.running import find_strengths, generate_missing, generating_time
from jobs.sweep.scores import (
    inaccuracy_notes,
    read_scores,
    stored_accuracies,
    write_accuracies,
)
from jobs.sweep.scoring import (
    ConceptClassifier,
    classify_generations,
    compare_generations,
    describe_generations,
)
from jobs.sweep.tables import write_cross_effects, write_effects, write_trials
from jobs.sweep.trials import SweepPlan, count_random_directions, plan_trials, read_strengths
from pipelines.scorers.protocol import load_scorer
from store import open_store
from store.errors import NotFound
from store.extensions import SCORERS
from store.opening import Store

NOBODY = ""
"""Version of a scorer that has scored nothing."""


@dataclass(slots=True)
class Scored:
    """What came of scoring."""

    summary: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """By scorer that is a model, which one."""
    accuracies: list[ScorerAccuracy] = field(default_factory=list)
    """Accuracy of each scorer, by concept."""
    notes: list[str] = field(default_factory=list)

    def take(self, scorer: str, said: str, version: str, accuracies: Iterable[ScorerAccuracy] = ()) -> None:
        """What one of them said of itself."""
        self.summary[scorer], self.versions[scorer] = said, version
        self.accuracies += accuracies


def describe_sweep(options: SweepOptions) -> dict[str, Any]:
    """What a sweep would do: settings, generations, time to make them; nothing is fitted or generated."""
    store = open_store(options.store)
    expanded = _expand(store, options)
    directions = find_directions(store, expanded)
    plan = plan_trials(expanded, directions, read_strengths(store), draft=True)
    done = stored_generations(store)
    missing = [spec for one, spec in plan.specs.items() if one not in done]
    return {
        **_named(expanded),
        "pairs": len(expanded.pairs),
        "settings": len(expanded.settings),
        "generations": len(plan.specs),
        "missing": len(missing),
        "audio_minutes": round(sum(spec.seconds for spec in missing) / 60, 1),
        **generating_time(plan, missing, options),
    }


def run_sweep(options: SweepOptions) -> dict[str, Any]:
    """Run a sweep, or what is missing of it; returns a summary.

    Raises:
        UndertoneError: the sweep cannot start or cannot go on; what is committed stays.
    """
    store = open_store(options.store, create=True)  # for writing: refuses what cannot be written safely
    with ExitStack() as stack:
        if options.engine == "ray":
            stack.enter_context(ray_session(options.address))  # one for all steps
        expanded = _expand(store, options)
        where = FitExecution(address=options.address, workers=options.workers)
        fit_missing_directions(store, expanded, where, count_random_directions(expanded))
        directions = find_directions(store, expanded)
        strengths = find_strengths(store, expanded, directions, options)
        plan = plan_trials(expanded, directions, strengths)
        write_trials(store, plan)
        counts = generate_missing(store, plan, options)
        done = stored_generations(store)
        made = [one for one in plan.specs if one in done]
        scored = _score(store, plan, made, options) if made else Scored()
    effects = _effects(store, plan, made, scored) if made else {}
    complete = len(made) == counts["generations"]
    told = {**counts, **scored.summary, **_notes(scored), **effects}
    return {**_named(expanded), "settings": len(expanded.settings), **told, "complete": complete}


def _effects(store: Store, plan: SweepPlan, made: Sequence[str], scored: Scored) -> dict[str, Any]:
    """Write what steering does, by all generations that could be made; the others are missing."""
    sets = {prompts.concept: prompts.digest for prompts in _prompts(plan.expanded)}
    groups = {
        name: {clip: group for clip, (group, _) in one.reference.items()}
        for name, one in plan.expanded.labels.items()
    }
    scores = read_scores(store, list(plan.specs), groups, prompt_sets=sets, versions=scored.versions)
    scores = scores.believed(scored.accuracies)
    write_accuracies(store, plan.expanded, scored.accuracies)
    written = write_effects(store, plan, scores)
    summary: dict[str, Any] = {
        "effects": written.count,
        "cross_effects": write_cross_effects(store, plan, scores),
    }
    if written.interval_notes:
        summary["without_interval"] = " ".join(written.interval_notes)
    if written.limit_notes:
        summary["damage_limit"] = ". ".join(written.limit_notes)
    if missing := len(plan.specs) - len(made):
        summary["effects_without"] = (
            f"the cells of {missing} generations that could not be made: each effect says how many cells it "
            "lacks (missing). The same command tries them again."
        )
    return summary


def _expand(store: Store, options: SweepOptions) -> ExpandedSweep:
    configuration = read_sweep(find_sweep(options.sweep))
    run = only_run(store, options.run)
    dtype = DTYPES[options.dtype]
    return expand_sweep(store, configuration, run, model=options.model, dtype=dtype, roots=options.roots)


def _named(expanded: ExpandedSweep) -> dict[str, Any]:
    """What a summary begins with."""
    model = str(expanded.model["name"]) + (" (random weights)" if expanded.model["random_weights"] else "")
    return {"sweep": expanded.configuration.name, "run": expanded.run_id, "model": model}


def _score(store: Store, plan: SweepPlan, made: Sequence[str], options: SweepOptions) -> Scored:
    """Every scorer that was asked for."""
    expanded = plan.expanded
    scorers = options.scorer_names()
    scored = Scored()
    if "descriptors" in scorers:
        scored.summary["described"] = describe_generations(store, made, options)
    if "similarity" in scorers:
        scored.summary["compared"] = compare_generations(store, _twins(plan, set(made)), options)
    if "features" in scorers:
        run = store.run(expanded.run_id)
        classifiers, scored.notes = classify_generations(store, made, run, expanded.labels, options)
        scored.accuracies += map(_of_classifier, classifiers)
    if "probe" in scorers:
        scored.take("probe", *_probe(store, expanded, made, options))
    for name in (one for one in scorers if one in SCORERS.names()):
        scored.take(name, *_sound_scorer(name, store, expanded, made, options))
    if "clap" in scorers:
        scored.take("clap", *_clap(store, expanded, made, options))
    return scored


def _notes(scored: Scored) -> dict[str, Any]:
    """How accurate each scorer is, and what else there is to say of the scores."""
    accurate = [
        f"{one.scorer} {one.concept} {one.accuracy:.2f} ({one.low:.2f} to {one.high:.2f})"
        for one in scored.accuracies
        if one.accuracy is not None
    ]
    told: dict[str, Any] = {"accuracy_on_labelled_clips": "; ".join(accurate)} if accurate else {}
    notes = [*scored.notes, *inaccuracy_notes(scored.accuracies)]
    return told | ({"note": " ".join(notes)} if notes else {})


def _of_classifier(one: ConceptClassifier) -> ScorerAccuracy:
    found = one.classifier
    return accuracy_of("features", one.version, one.concept, found.hits, labels=one.codes, groups=one.groups)


def _twins(plan: SweepPlan, made: set[str]) -> list[tuple[str, str]]:
    """Every generation with the unsteered one of its condition."""
    pairs = []
    for design in designs_of(plan.trials):
        twins = design.ids["unsteered", None]
        for ids in design.ids.values():
            pairs += list(zip(ids.ravel(), twins.ravel(), strict=True))
    return [(one, other) for one, other in pairs if one in made and other in made]


Said = tuple[str, str, list[ScorerAccuracy]]
"""What a scorer did in words, its version, and its accuracy on labelled clips."""


def _probe(store: Store, expanded: ExpandedSweep, made: Sequence[str], options: SweepOptions) -> Said:
    run, array = store.run(expanded.run_id), f"resid.{REDUCTION}"
    if array not in run.arrays:
        return f"none: the run has no {array}", NOBODY, []
    source, notes = fit_held_out_probes(
        run, array, expanded.labels, model=expanded.model_name, dtype=DTYPES[options.dtype]
    )
    if source is None:
        return " ".join(notes), NOBODY, []
    items = generations_with(store, made)
    scoring = score_items(store, items, SCORER, source.version, options, source=source)
    read = ", ".join(f"{one.concept} at layer {one.layer}" for one in source.probes)
    accuracies = [
        accuracy_of(
            SCORER, source.version, one.concept, one.classifier.hits, labels=one.codes, groups=one.groups
        )
        for one in source.probes
    ]
    return " ".join([f"{_said(scoring)}; {read}.", *notes]), source.version, accuracies


def _sound_scorer(
    name: str, store: Store, expanded: ExpandedSweep, made: Sequence[str], options: SweepOptions
) -> Said:
    """The judge, or a scorer of a plug-in: of the generations, and of recordings to compare them with."""
    version = scorer_version(name, load_scorer(name, device=options.device))
    scoring = score_items(store, generations_with(store, made), name, version, options)
    _score_recordings(store, expanded, name, version, options)
    return _said(scoring), version, list(stored_accuracies(store, expanded.labels, name, version))


def _clap(store: Store, expanded: ExpandedSweep, made: Sequence[str], options: SweepOptions) -> Said:
    from pipelines.scorers.clap import load_clap

    clap, prompts = load_clap(options.clap), _prompts(expanded)
    version, scorer = clap.info.fingerprint, f"clap:{options.clap}"
    items = generations_with(store, made)
    scoring = score_items(store, items, scorer, version, options)
    scored = score_prompts(store, items, prompts, clap)
    unknown = {one.prompts.concept: one.alike for one in scored}
    recordings, said = _score_recordings(store, expanded, scorer, version, options)
    if recordings is not None:
        score_prompts(store, recordings, prompts, clap)
    sets = {one.concept: one.digest for one in prompts}
    accuracies = list(
        stored_accuracies(store, expanded.labels, "clap", version, prompt_sets=sets, unknown=unknown)
    )
    return f"{clap.info.name} {version[:12]}: {_said(scoring)}; {said}", version, accuracies


def _score_recordings(
    store: Store, expanded: ExpandedSweep, scorer: str, version: str, options: SweepOptions
) -> tuple[Items | None, str]:
    """Let a scorer score the recordings that sounds are compared with, where their audio can be reached."""
    wanted = {clip for one in expanded.labels.values() for clip in one.reference}
    items = clips_of(store, expanded.dataset)
    chosen = replace(items, members=tuple(item for item in items.members if item.item_id in wanted))
    try:
        scoring = score_items(store, chosen, scorer, version, options)
    except NotFound as error:
        return None, f"no recordings to compare with: {error}"
    return chosen, f"recordings to compare with: {_said(scoring)}"


def _said(scoring: Scoring) -> str:
    if not scoring.failures:
        return f"{scoring.scored} scored"
    return f"{scoring.scored} scored, {len(scoring.failures)} failed: {scoring.failures[0].message}"


def _prompts(expanded: ExpandedSweep) -> list[PromptSet]:
    """A set per concept whose classes are words; "true" and "false" say nothing to a CLAP."""
    template = expanded.configuration.clap_template
    return [
        PromptSet(concept, {name: template.replace("{}", name) for name in labelled.classes})
        for concept, labelled in expanded.labels.items()
        if not {name.lower() for name in labelled.classes} <= {"true", "false"}
    ]
