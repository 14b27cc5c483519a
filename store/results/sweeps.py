"""Columns of what sweeps plan and find."""

from store.results.table import COUNT, COUNTS, FLAG, NUMBER, NUMBERS, TEXT, TEXTS, TIME, Table

SWEEP_GENERATIONS = Table(
    "sweep_generations",
    {
        "sweep": (TEXT, "name of the sweep"),
        "sweep_id": (TEXT, "hash of its file and run"),
        "plan_id": (TEXT, "hash of all generations that were planned together; effects names those it is of"),
        "question": (TEXT, "what the sweep's file asks; NULL: nothing"),
        "run_id": (TEXT, "run whose directions steer"),
        "generation_id": (TEXT, "the generation; its sound is audio/<generation_id>.flac"),
        "unsteered_id": (TEXT, "generation of the same prompt and random state, unsteered"),
        "role": (TEXT, "steered; random, text, prompt (controls); unsteered"),
        "part": (TEXT, "half it belongs to: choose or report"),
        "concept": (TEXT, "label column that is steered"),
        "source": (TEXT, "class of the prompt"),
        "target": (TEXT, "class that it is steered to; several joined by +"),
        "template": (TEXT, "prompt with the class in braces"),
        "text": (TEXT, "prompt as it was given to the model"),
        "audio_prompt": (TEXT, "recording that is continued, as the sweep's file names it; NULL: none"),
        "audio_seconds": (NUMBER, "so much of it, with which the sound begins; NULL: none"),
        "random_state": (COUNT, "of the sampling noise"),
        "setting_id": (TEXT, "setting, as in the view effects; NULL for unsteered and prompt"),
        "method": (TEXT, "of the direction that the setting names"),
        "site": (TEXT, "where it is steered"),
        "layers": (COUNTS, "the layers that are steered"),
        "alpha": (NUMBER, "strength of steering; where it was found, the mean over layers"),
        "automatic": (FLAG, "whether the strength was found and not given"),
        "kind": (TEXT, "interpolate, add or ablate"),
        "scaling": (TEXT, "norm, unit or norm_restored"),
        "schedule": (TEXT, "strength over time, and the self-monitor if there is one"),
        "created_at": (TIME, "when it was planned (UTC)"),
    },
)

STRENGTHS = Table(
    "strengths",
    {
        "strength_id": (TEXT, "hash of the unsteered generation, its edits and the text of the cap"),
        "unsteered_id": (TEXT, "generation on which the strengths were found"),
        "vector_ids": (TEXTS, "directions, one per edit"),
        "layers": (COUNTS, "layers, one per edit"),
        "alphas": (NUMBERS, "strengths that were found, one per edit"),
        "cap_text": (TEXT, "prompt whose effect the strengths do not exceed; NULL: no cap"),
        "cap": (NUMBER, "factor by which the cap lowered the strengths; NULL: no cap"),
        "created_at": (TIME, "when they were found (UTC)"),
    },
)

EFFECTS = Table(
    "effects",
    {
        "sweep": (TEXT, "name of the sweep"),
        "sweep_id": (TEXT, "hash of its file and run"),
        "plan_id": (TEXT, "hash of its generations; see the view sweep_generations"),
        "run_id": (TEXT, "run whose directions steer"),
        "model": (TEXT, "name of the model"),
        "setting_id": (TEXT, "hash of the setting, the same in all sweeps; NULL: pooled over pairs"),
        "part": (
            TEXT,
            "cells: all, choose (the half that settings are chosen on) or report (the other half)",
        ),
        "concept": (TEXT, "label column that is steered"),
        "source": (TEXT, "class of the prompt"),
        "target": (TEXT, "class that it is steered to; several joined by +"),
        "method": (TEXT, "of the direction"),
        "strength": (NUMBER, "penalty of the direction; the mean over layers and targets; NULL: it has none"),
        "site": (TEXT, "where it is steered"),
        "layer": (COUNT, "the layer that is steered; NULL: several"),
        "layers": (COUNTS, "the layers that are steered"),
        "alpha": (NUMBER, "strength of steering; NULL: automatic, found for each prompt and random state"),
        "mean_alpha": (NUMBER, "strength that was used: of an automatic one the mean over its generations"),
        "kind": (TEXT, "interpolate, add or ablate"),
        "scaling": (TEXT, "norm, unit or norm_restored"),
        "schedule": (TEXT, "strength over time, and the self-monitor if there is one"),
        "rows": (TEXT, "rows steered under guidance: conditional or both"),
        "cosine_to_mean_difference": (NUMBER, "of the direction; the mean over layers and targets"),
        "separability": (NUMBER, "held-out d' of the direction; the mean over layers and targets"),
        "scorer": (
            TEXT,
            "who measured: clap, judge, features, probe, descriptors; chroma or onset similarity",
        ),
        "scorer_version": (TEXT, "its name and version; NULL where the metric says it all"),
        "metric": (
            TEXT,
            (
                "target_probability: mean P(target); source_probability: mean P(source); transfer: "
                "P(target) minus that of the unsteered twin (our definition); retention: mean P(source) "
                "over that of the unsteered twins (our definition); fusion: harmonic mean of the shares of "
                "two classes, 0.5 where both are equal (our definition); balance: (p1 + p2)(1 - |p1 - p2|) "
                "of two classes (our definition); alignment: cosine of sound and target text minus that of "
                "the twin; change: P(measured_class), or a physical descriptor, minus that of the twin; "
                "level: mean of a physical descriptor that damage changes: does the sound still move?; "
                "similarity: to the unsteered twin: 1 is all kept; fad: damage pooled over pairs: Frechet "
                "distance of CLAP embeddings; unsteered is its floor by chance, and intervals keep its "
                "upward bias; kad: damage: unbiased MMD x 100 of CLAP embeddings against the unsteered "
                "twins; around 0 is none; kad_clips: the same against recordings of the concept; unsteered "
                "is what the model does anyway"
            ),
        ),
        "measured_concept": (TEXT, "of metric change: the concept that is measured"),
        "measured_class": (TEXT, "of metric change: the class, or the descriptor, that is measured"),
        "cells": (COUNT, "steered generations that count: measured, as are their twins and random controls"),
        "missing": (COUNT, "those of the part that do not"),
        "prompts": (
            COUNT,
            "independent prompts among them: recordings where several are continued, else texts",
        ),
        "random_states": (COUNT, "different ones among them"),
        "without_interval": (
            TEXT,
            "why nothing has an interval: one prompt, one random state, …; NULL: it has",
        ),
        "value": (NUMBER, "of the steered generations"),
        "low": (
            NUMBER,
            "lower end of its 95 % interval over prompts and random states; NULL with one of them",
        ),
        "high": (NUMBER, "upper end"),
        "random": (NUMBER, "control: the same with random directions of the same length and place"),
        "random_low": (NUMBER, "lower end of its interval"),
        "random_high": (NUMBER, "upper end"),
        "text": (NUMBER, "control: the same with directions of the text alone, in which no audio has a say"),
        "text_low": (NUMBER, "lower end of its interval"),
        "text_high": (NUMBER, "upper end"),
        "prompt": (NUMBER, "control: the target's prompt, unsteered"),
        "prompt_low": (NUMBER, "lower end of its interval"),
        "prompt_high": (NUMBER, "upper end"),
        "unsteered": (NUMBER, "control: the unsteered twins"),
        "over_random": (NUMBER, "value minus random, cell by cell"),
        "over_random_low": (NUMBER, "lower end of its interval: above 0, steering did more than chance"),
        "over_random_high": (NUMBER, "upper end"),
        "over_text": (NUMBER, "value minus text, cell by cell"),
        "over_text_low": (NUMBER, "lower end of its interval: above 0, the audio's direction did more"),
        "over_text_high": (NUMBER, "upper end"),
        "drone": (FLAG, "whether its sounds stand still: mel_variation_db far below controls; NULL: unknown"),
        "damage": (NUMBER, "kad_clips of its setting in this part"),
        "damage_limit": (NUMBER, "the largest damage that may be chosen; NULL: none, see without_limit"),
        "without_limit": (TEXT, "why a limit of damage is not applied to its setting here; NULL: all are"),
        "scorer_accuracy": (
            NUMBER,
            "share of labelled clips whose class the scorer names; see scorer_accuracy",
        ),
        "chosen": (
            FLAG,
            "its pair's largest transfer on the choosing half, above 0 and random, damage allowed",
        ),
        "chosen_by": (TEXT, "scorer of that transfer"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
    read_by_views=True,
)

CROSS_EFFECTS = Table(
    "cross_effects",
    {
        "sweep": (TEXT, "name of the sweep"),
        "sweep_id": (TEXT, "hash of its file and run"),
        "plan_id": (TEXT, "hash of its generations; see the view sweep_generations"),
        "run_id": (TEXT, "run whose directions steer"),
        "concept": (TEXT, "concept that is steered; NULL in rows of the index"),
        "source": (TEXT, "class of the prompt"),
        "target": (TEXT, "class that it is steered to"),
        "method": (TEXT, "of the direction"),
        "site": (TEXT, "where it is steered"),
        "layers": (COUNTS, "the layers that are steered"),
        "kind": (TEXT, "interpolate, add or ablate"),
        "scaling": (TEXT, "norm, unit or norm_restored"),
        "schedule": (TEXT, "strength over time, and the self-monitor if there is one"),
        "alphas": (NUMBERS, "strengths that the slope is over"),
        "scorer": (TEXT, "who measured: clap, judge or features"),
        "measured_concept": (TEXT, "concept that is measured; NULL in rows of the index"),
        "measured_class": (TEXT, "class that is measured; NULL: half the sum of |slope| over all classes"),
        "slope": (NUMBER, "change of its probability per unit of strength; without concepts: the index"),
        "low": (
            NUMBER,
            "lower end of its 95 % interval over prompts and random states; NULL with one of them",
        ),
        "high": (NUMBER, "upper end"),
        "without_interval": (
            TEXT,
            "why a slope has no interval: one prompt, one random state, …; NULL: it has",
        ),
        "random": (
            NUMBER,
            "control: the same with random directions; of the index, over what steering moves",
        ),
        "random_low": (NUMBER, "lower end of its interval"),
        "random_high": (NUMBER, "upper end"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
)

SCORER_ACCURACY = Table(
    "scorer_accuracy",
    {
        "sweep": (TEXT, "name of the sweep"),
        "sweep_id": (TEXT, "hash of its file and run"),
        "run_id": (TEXT, "run whose labelled clips were heard"),
        "scorer": (TEXT, "clap, judge, features or probe"),
        "scorer_version": (TEXT, "hash of its weights and settings"),
        "concept": (TEXT, "label column"),
        "clips": (COUNT, "labelled clips that it was asked about"),
        "groups": (COUNT, "groups they belong to"),
        "classes": (COUNT, "classes among them"),
        "accuracy": (NUMBER, "share of them whose class it names; NULL: nobody could ask it"),
        "low": (NUMBER, "lower end of its 95 % interval, over groups"),
        "high": (NUMBER, "upper end"),
        "chance": (NUMBER, "share of the most frequent class: what saying always the same is worth"),
        "unknown": (TEXTS, "classes that it cannot tell apart, as it does not know their words"),
        "hears": (FLAG, "whether its interval lies above chance; NULL: nobody could ask it"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
)
