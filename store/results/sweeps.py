"""Columns of what sweeps plan and find."""

from dataclasses import dataclass

from store.results.table import Count, Counts, Flag, Number, Numbers, Table, Text, Texts, Time, column

SPLITS_BEFORE = {"choose": "selection", "report": "evaluation"}
"""What older parts call the splits of a sweep's conditions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepGenerationRow:
    """Where a generation stands in a sweep."""

    sweep: Text = column("name of the sweep")
    sweep_id: Text = column("hash of its file and run")
    plan_id: Text = column("hash of all generations that were planned together; effects names those it is of")
    question: Text = column("what the sweep's file asks; NULL: nothing")
    run_id: Text = column("run whose directions steer")
    generation_id: Text = column("the generation; its sound is audio/<generation_id>.flac")
    unsteered_id: Text = column("generation of the same prompt and random state, unsteered")
    role: Text = column("steered; random, text, prompt (controls); unsteered")
    split: Text = column(
        "selection (settings are chosen on it) or evaluation", former="part", former_values=SPLITS_BEFORE
    )
    concept: Text = column("label column that is steered")
    source: Text = column("class of the prompt")
    target: Text = column("class that it is steered to; several joined by +")
    template: Text = column("prompt with the class in braces")
    text: Text = column("prompt as it was given to the model")
    audio_prompt: Text = column("recording that is continued, as the sweep's file names it; NULL: none")
    audio_seconds: Number = column("so much of it, with which the sound begins; NULL: none")
    random_state: Count = column("of the sampling noise")
    setting_id: Text = column("setting, as in the view effects; NULL for unsteered and prompt")
    method: Text = column("of the direction that the setting names")
    site: Text = column("where it is steered")
    layers: Counts = column("the layers that are steered")
    alpha: Number = column("strength of steering; where it was found, the mean over layers")
    automatic: Flag = column("whether the strength was found and not given")
    kind: Text = column("interpolate, add or ablate")
    scaling: Text = column("norm, unit or norm_restored")
    schedule: Text = column("strength over time, and the self-monitor if there is one")
    created_at: Time = column("when it was planned (UTC)")


SWEEP_GENERATIONS = Table("sweep_generations", SweepGenerationRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrengthRow:
    """Automatic strengths on one unsteered sound."""

    strength_id: Text = column("hash of the unsteered generation, its edits and the text of the cap")
    unsteered_id: Text = column("generation on which the strengths were found")
    vector_ids: Texts = column("directions, one per edit")
    layers: Counts = column("layers, one per edit")
    alphas: Numbers = column("strengths that were found, one per edit")
    cap_text: Text = column("prompt whose effect the strengths do not exceed; NULL: no cap")
    cap: Number = column("factor by which the cap lowered the strengths; NULL: no cap")
    created_at: Time = column("when they were found (UTC)")


STRENGTHS = Table("strengths", StrengthRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """What a setting of a sweep does."""

    sweep: Text = column("name of the sweep")
    sweep_id: Text = column("hash of its file and run")
    plan_id: Text = column("hash of its generations; see the view sweep_generations")
    run_id: Text = column("run whose directions steer")
    model: Text = column("name of the model")
    setting_id: Text = column("hash of the setting, the same in all sweeps; NULL: pooled over pairs")
    split: Text = column(
        "over which prompts and random states: selection (settings are chosen on it), evaluation, or all",
        former="part",
        former_values=SPLITS_BEFORE,
    )
    concept: Text = column("label column that is steered")
    source: Text = column("class of the prompt")
    target: Text = column("class that it is steered to; several joined by +")
    method: Text = column("of the direction")
    penalty: Number = column(
        "penalty of the direction; the mean over layers and targets; NULL: it has none", former="strength"
    )
    site: Text = column("where it is steered")
    layer: Count = column("the layer that is steered; NULL: several")
    layers: Counts = column("the layers that are steered")
    alpha: Number = column("strength of steering; NULL: automatic, found for each prompt and random state")
    mean_alpha: Number = column("strength that was used: of an automatic one the mean over its generations")
    kind: Text = column("interpolate, add or ablate")
    scaling: Text = column("norm, unit or norm_restored")
    schedule: Text = column("strength over time, and the self-monitor if there is one")
    rows: Text = column("rows steered under guidance: conditional or both")
    cosine_to_mean_difference: Number = column("of the direction; the mean over layers and targets")
    separability: Number = column("held-out d' of the direction; the mean over layers and targets")
    scorer: Text = column(
        "who measured: clap, judge, features, probe, descriptors; chroma or onset similarity"
    )
    scorer_version: Text = column("its name and version; NULL where the metric says it all")
    metric: Text = column(
        "target_probability: mean P(target); source_probability: mean P(source); transfer: P(target) "
        "minus that of the unsteered twin (our definition); retention: mean P(source) over that of the "
        "unsteered twins (our definition); fusion: harmonic mean of the shares of two classes, 0.5 where "
        "both are equal (our definition); balance: (p1 + p2)(1 - |p1 - p2|) of two classes (our "
        "definition); alignment: cosine of sound and target text minus that of the twin; change: "
        "P(measured_class), or a physical descriptor, minus that of the twin; level: mean of a physical "
        "descriptor that damage changes: does the sound still move?; similarity: to the unsteered twin: "
        "1 is all kept; fad: damage pooled over pairs: Frechet distance of CLAP embeddings; unsteered is "
        "its floor by chance, and intervals keep its upward bias; kad: damage: unbiased MMD x 100 of "
        "CLAP embeddings against the unsteered twins; around 0 is none; kad_clips: the same against "
        "recordings of the concept; unsteered is what the model does anyway"
    )
    measured_concept: Text = column("of metric change: the concept that is measured")
    measured_class: Text = column("of metric change: the class, or the descriptor, that is measured")
    conditions: Count = column(
        "pairs of prompt and random state that count: measured, as are their twins and random controls",
        former="cells",
    )
    missing: Count = column("those of the split that do not")
    prompts: Count = column(
        "independent prompts among them: recordings where several are continued, else texts"
    )
    random_states: Count = column("different ones among them")
    without_interval: Text = column(
        "why nothing has an interval: one prompt, one random state, …; NULL: it has"
    )
    value: Number = column("of the steered generations")
    low: Number = column(
        "lower end of its 95 % interval over prompts and random states; NULL with one of them"
    )
    high: Number = column("upper end")
    random: Number = column("control: the same with random directions of the same length and place")
    random_low: Number = column("lower end of its interval")
    random_high: Number = column("upper end")
    text: Number = column("control: the same with directions of the text alone, in which no audio has a say")
    text_low: Number = column("lower end of its interval")
    text_high: Number = column("upper end")
    prompt: Number = column("control: the target's prompt, unsteered")
    prompt_low: Number = column("lower end of its interval")
    prompt_high: Number = column("upper end")
    unsteered: Number = column("control: the unsteered twins")
    over_random: Number = column("value minus random, condition by condition")
    over_random_low: Number = column("lower end of its interval: above 0, steering did more than chance")
    over_random_high: Number = column("upper end")
    over_text: Number = column("value minus text, condition by condition")
    over_text_low: Number = column("lower end of its interval: above 0, the audio's direction did more")
    over_text_high: Number = column("upper end")
    drone: Flag = column("whether its sounds stand still: mel_variation_db far below controls; NULL: unknown")
    damage: Number = column("kad_clips of its setting in this split")
    damage_limit: Number = column("the largest damage that may be chosen; NULL: none, see without_limit")
    without_limit: Text = column("why a limit of damage is not applied to its setting here; NULL: all are")
    scorer_accuracy: Number = column(
        "share of labelled clips whose class the scorer names; see scorer_accuracy"
    )
    chosen: Flag = column(
        "its pair's largest transfer on the selection split, above 0 and random, damage allowed"
    )
    chosen_by: Text = column("scorer of that transfer")
    created_at: Time = column("when it was computed (UTC)")


EFFECTS = Table("effects", EffectRow, read_by_views=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEffectRow:
    """How fast a class changes with the strength of a direction."""

    sweep: Text = column("name of the sweep")
    sweep_id: Text = column("hash of its file and run")
    plan_id: Text = column("hash of its generations; see the view sweep_generations")
    run_id: Text = column("run whose directions steer")
    concept: Text = column("concept that is steered; NULL in rows of the index")
    source: Text = column("class of the prompt")
    target: Text = column("class that it is steered to")
    method: Text = column("of the direction")
    site: Text = column("where it is steered")
    layers: Counts = column("the layers that are steered")
    kind: Text = column("interpolate, add or ablate")
    scaling: Text = column("norm, unit or norm_restored")
    schedule: Text = column("strength over time, and the self-monitor if there is one")
    alphas: Numbers = column("strengths that the slope is over")
    scorer: Text = column("who measured: clap, judge or features")
    measured_concept: Text = column("concept that is measured; NULL in rows of the index")
    measured_class: Text = column("class that is measured; NULL: half the sum of |slope| over all classes")
    slope: Number = column("change of its probability per unit of strength; without concepts: the index")
    low: Number = column(
        "lower end of its 95 % interval over prompts and random states; NULL with one of them"
    )
    high: Number = column("upper end")
    without_interval: Text = column(
        "why a slope has no interval: one prompt, one random state, …; NULL: it has"
    )
    random: Number = column(
        "control: the same with random directions; of the index, over what steering moves"
    )
    random_low: Number = column("lower end of its interval")
    random_high: Number = column("upper end")
    created_at: Time = column("when it was computed (UTC)")


CROSS_EFFECTS = Table("cross_effects", CrossEffectRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerAccuracyRow:
    """How often a scorer names the class of labelled clips."""

    sweep: Text = column("name of the sweep")
    sweep_id: Text = column("hash of its file and run")
    run_id: Text = column("run whose labelled clips were scored")
    scorer: Text = column("clap, judge, features or probe")
    scorer_version: Text = column("hash of its weights and settings")
    concept: Text = column("label column")
    clips: Count = column("labelled clips that it was asked about")
    groups: Count = column("groups they belong to")
    classes: Count = column("classes among them")
    accuracy: Number = column("share of them whose class it names; NULL: nobody could ask it")
    low: Number = column("lower end of its 95 % interval, over groups")
    high: Number = column("upper end")
    chance: Number = column("share of the most frequent class: what saying always the same is worth")
    unknown: Texts = column("classes that it cannot tell apart, as it does not know their words")
    above_chance: Flag = column(
        "whether its interval lies above chance; NULL: nobody could ask it", former="hears"
    )
    created_at: Time = column("when it was computed (UTC)")


SCORER_ACCURACY = Table("scorer_accuracy", ScorerAccuracyRow)
