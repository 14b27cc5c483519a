"""Run a sweep from its file to its effects, doing only what is missing."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from analysis.effects.trials import designs_of
from jobs.engine.ray_session import ray_session
from jobs.execution import FitExecution
from jobs.extract.planning import DTYPES
from jobs.generate.records import stored_generations
from jobs.progress.logs import about_run
from jobs.sweep.clap import prompts_of
from jobs.sweep.configuration import find_sweep, read_sweep
from jobs.sweep.directions import find_directions, fit_missing_directions
from jobs.sweep.expansion import ExpandedSweep, expand_sweep, only_run
from jobs.sweep.options import SweepOptions
from jobs.sweep.running import find_strengths, generate_missing, generating_time
from jobs.sweep.scorers import AllScored, SweepSounds, choosing_scorers, score_sweep
from jobs.sweep.scores import (
    read_scores,
    write_accuracies,
)
from jobs.sweep.tables import write_cross_effects, write_effects, write_trials
from jobs.sweep.trials import SweepPlan, count_random_directions, plan_trials, read_strengths
from store import open_store
from store.errors import counted
from store.opening import Store


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
    with about_run(read_sweep(find_sweep(options.sweep)).name), ExitStack() as stack:
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
        scored = AllScored()
        if made:
            sounds = SweepSounds(store, expanded, made, _twins(plan, set(made)), options)
            scored = score_sweep(sounds, options.scorer_names())
    effects = _effects(store, plan, made, scored) if made else {}
    complete = len(made) == counts["generations"]
    told = {**counts, **scored.told(), **effects}
    return {**_named(expanded), "settings": len(expanded.settings), **told, "complete": complete}


def _effects(store: Store, plan: SweepPlan, made: Sequence[str], scored: AllScored) -> dict[str, Any]:
    """Write what steering does, by all generations that could be made; the others are missing."""
    sets = {prompts.concept: prompts.digest for prompts in prompts_of(plan.expanded)}
    groups = {
        name: {clip: group for clip, (group, _) in one.reference.items()}
        for name, one in plan.expanded.labels.items()
    }
    scores = read_scores(store, list(plan.specs), groups, prompt_sets=sets, versions=scored.versions)
    scores = scores.believed(scored.accuracies)
    write_accuracies(store, plan.expanded, scored.accuracies)
    written = write_effects(store, plan, scores, choosing_scorers(scores.scorers()))
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
            f"the conditions of {counted(missing, 'generation')} that could not be made: each effect says "
            "how many it lacks (missing). The same command tries them again."
        )
    return summary


def _expand(store: Store, options: SweepOptions) -> ExpandedSweep:
    configuration = read_sweep(find_sweep(options.sweep))
    run = only_run(store, options.run)
    dtype = DTYPES[options.dtype]
    return expand_sweep(
        store,
        configuration,
        run,
        model=options.model,
        backend=options.backend,
        dtype=dtype,
        roots=options.roots,
    )


def _named(expanded: ExpandedSweep) -> dict[str, Any]:
    """What a summary begins with."""
    model = str(expanded.model["name"]) + (" (random weights)" if expanded.model["random_weights"] else "")
    return {"sweep": expanded.configuration.name, "run": expanded.run_id, "model": model}


def _twins(plan: SweepPlan, made: set[str]) -> list[tuple[str, str]]:
    """Every generation with the unsteered one of its condition."""
    pairs = []
    for design in designs_of(plan.trials):
        twins = design.ids["unsteered", None]
        for ids in design.ids.values():
            pairs += list(zip(ids.ravel(), twins.ravel(), strict=True))
    return [(one, other) for one, other in pairs if one in made and other in made]
