"""CLAP as a scorer of sweeps: each class of a concept in words, compared with the sound."""

from jobs.evaluate.scoring import score_items
from jobs.evaluate.zero_shot import PromptSet, score_prompts
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.scorers import Scored, Scorer, SweepSounds, said, score_recordings
from jobs.sweep.scores import stored_accuracies


def prompts_of(expanded: ExpandedSweep) -> list[PromptSet]:
    """A set per concept whose classes are words; "true" and "false" say nothing to a CLAP."""
    template = expanded.configuration.clap_template
    return [
        PromptSet(concept, {name: template.replace("{}", name) for name in labelled.classes})
        for concept, labelled in expanded.labels.items()
        if not {name.lower() for name in labelled.classes} <= {"true", "false"}
    ]


def _score(sounds: SweepSounds) -> Scored:
    from pipelines.scorers.clap import load_clap

    store, options = sounds.store, sounds.options
    clap, prompts = load_clap(options.clap), prompts_of(sounds.expanded)
    version, scorer = clap.info.fingerprint, f"clap:{options.clap}"
    items = sounds.items
    scoring = score_items(store, items, scorer, version, options)
    scored = score_prompts(store, items, prompts, clap)
    recordings, compared = score_recordings(sounds, scorer, version)
    if recordings is not None:
        score_prompts(store, recordings, prompts, clap)
    accuracies = stored_accuracies(
        store,
        sounds.expanded.labels,
        "clap",
        version,
        prompt_sets={one.concept: one.digest for one in prompts},
        unknown={one.prompts.concept: one.alike for one in scored},
    )
    told = f"{clap.info.name} {version[:12]}: {said(scoring)}; {compared}"
    return Scored({"clap": told}, version, list(accuracies))


SCORER = Scorer(_score, choice_rank=10)
