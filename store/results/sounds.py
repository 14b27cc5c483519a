"""Columns of what is generated, of how it and clips score, and of listening tests."""

from dataclasses import dataclass

from store.results.table import Count, Counts, Flag, Number, Numbers, Table, Text, Texts, Time, Vector, column


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRow:
    """A generated sound, with all that decides it."""

    generation_id: Text = column(
        "hash of all that decides how it sounds; equal ids: equal sounds but for ties"
    )
    twin_id: Text = column("generation_id of the same without edits; NULL where there are none")
    model: Text = column("name of the model")
    model_fingerprint: Text = column("hash of the model's weights")
    text: Text = column("text condition; empty: none")
    seconds: Number = column("length, an audio prompt included")
    random_state: Count = column("key of the sampling noise: equal states share their noise")
    guidance: Number = column("of classifier-free guidance; 1: none")
    temperature: Number = column("of sampling")
    top_k: Count = column("sampled among so many tokens; 0: all")
    top_p: Number = column("or among the tokens that together are so probable; 0: not used")
    prompt_seconds: Number = column("length of the audio prompt; NULL: none")
    prompt_clip_id: Text = column("clip that the audio prompt was taken from")
    steered: Flag = column("whether any edit acts")
    site: Text = column(
        "where it is steered: embed, resid, attn, head, xattn, mlp …, joined by + where several"
    )
    layers: Counts = column("layers that are steered, one per edit")
    vector_ids: Texts = column("directions, one per edit; see the view vectors")
    alphas: Numbers = column("strength times layer weight, one per edit")
    kind: Text = column("interpolate, add or ablate, joined by + where several")
    scaling: Text = column("norm, unit or norm_restored, joined by + where several")
    schedule: Text = column("over time, joined by + where several")
    monitor: Text = column("self-monitor P[:DECAY], joined by + where several; NULL: none")
    rows: Text = column("rows steered under guidance: conditional or both")
    steer_prompt: Flag = column("whether the audio prompt's frames are steered too")
    specification: Text = column("JSON: the whole truth, of which the other columns are a part")
    audio: Text = column("key of the sound below the store")
    sample_rate: Count = column("of the sound, per second")
    peak: Number = column("largest absolute sample; above 1 the file is clipped")
    device: Text = column("what it was computed on")
    torch: Text = column("version of torch")
    created_at: Time = column("when it was written (UTC)")


GENERATIONS = Table("generations", GenerationRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRow:
    """The embedding of a clip or generation by CLAP."""

    item_id: Text = column("clip_id or generation_id")
    item_kind: Text = column("clip or generation")
    dataset: Text = column("dataset of a clip; NULL for generations")
    sha256: Text = column("checksum of the recording's file; NULL for generations, whose id says as much")
    clap: Text = column("name of the CLAP")
    clap_fingerprint: Text = column("hash of its weights, vocabulary, spectrogram settings and resampler")
    embedding: Vector = column("what CLAP makes of the sound: a vector of length one")
    created_at: Time = column("when it was computed (UTC)")


EMBEDDINGS = Table("embeddings", EmbeddingRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """A score of a clip or generation."""

    item_id: Text = column("clip_id or generation_id")
    item_kind: Text = column("clip or generation")
    dataset: Text = column("dataset of a clip; NULL for generations")
    sha256: Text = column("checksum of the recording's file; NULL for generations, whose id says as much")
    scorer: Text = column(
        "clap, judge, features (handcrafted), probe (of clips that no direction saw) or descriptors"
    )
    scorer_name: Text = column("name of the model that scored")
    scorer_version: Text = column("hash of its weights and settings")
    plugin: Text = column("distribution and version of the plug-in that scored; NULL: built in")
    concept: Text = column("what was asked: the name of a set of prompts, or of what the judge scores")
    class_: Text = column("the class that the value is for; NULL for numbers such as a tempo")
    text: Text = column("the very text that was compared with the audio; NULL for the judge")
    prompt_set: Text = column(
        "hash of all classes and texts among which probability was divided; NULL where no texts were asked"
    )
    measure: Text = column(
        "probability: over the classes of the concept; cosine: of text and audio; tempo_bpm: most likely "
        "tempo of its onsets, beats per minute; spectral_centroid_hz: centre of its power spectrum, "
        "averaged over time: how bright it is; onset_rate: onsets per second; percussive_ratio: share of "
        "its energy that is percussive (median filtering, Fitzgerald 2010); pitch_class: pitch class of "
        "its key, 0 = C … 11 = B, by key profiles (Krumhansl & Kessler 1982); majorness: correlation "
        "with the best major key profile minus that with the best minor one; loudness_db: root mean "
        "square, dB of full scale; spectral_flatness: geometric over arithmetic mean of the power "
        "spectrum: 0 tone, 1 noise; clipping: share of samples at full scale; silence: share of frames "
        "below -60 dB of full scale; spectral_flux_db: mean rise of its mel spectrogram from frame to "
        "frame, dB: how much sets in; mel_variation_db: deviation over time of its mel spectrogram, dB, "
        "the mean over bands: 0 is a drone; repetition: largest autocorrelation of its mel spectrogram: "
        "1 is a loop, or a standstill"
    )
    value: Number = column("the score")
    created_at: Time = column("when it was computed (UTC)")


EVALUATIONS = Table("evaluations", EvaluationRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityRow:
    """How alike a generation and its reference are."""

    item_id: Text = column("the generation")
    reference_id: Text = column("the generation it is compared with")
    measure: Text = column(
        "chroma (mean cosine of simultaneous pitch classes) or onset (correlation of onsets)"
    )
    value: Number = column("1: all is kept; 0 where one of the two is silent; NULL where both are")
    version: Text = column("of the definition")
    created_at: Time = column("when it was computed (UTC)")


SIMILARITIES = Table("similarities", SimilarityRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingRow:
    """An answer of a listener about one sound."""

    test_id: Text = column("the listening test")
    sweep: Text = column("name of the sweep")
    sweep_id: Text = column("hash of its file and run")
    listener: Text = column("name that was given, or the seed")
    seed: Count = column("decided the order of everything")
    trial_id: Text = column("what was compared on one screen")
    kind: Text = column("rating (how like the reference) or choice (which is most like the target)")
    sound_id: Text = column("the sound that is judged")
    role: Text = column("reference (hidden), anchor (behind a low-pass filter), unsteered, steered or random")
    generation_id: Text = column("what was heard")
    setting_id: Text = column("setting that is judged, as in the view effects")
    concept: Text = column("label column that is steered")
    source: Text = column("class of the prompt")
    target: Text = column("class that it is steered to; several joined by +")
    template: Text = column("prompt with the class in braces")
    audio_prompt: Text = column("recording that is continued, as the sweep's file names it; NULL: none")
    random_state: Count = column("of the sampling noise")
    value: Number = column("of a rating 0 to 100; of a choice 1 for the chosen sound, 0 for the others")
    alternatives: Count = column("sounds to choose among")
    shown: Count = column("place on the screen, from 0")
    answered_at: Time = column("when the listener finished (UTC)")
    created_at: Time = column("when it was imported (UTC)")


RATINGS = Table("ratings", RatingRow, read_by_views=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningSoundRow:
    """What a sound of a listening test is."""

    test_id: Text = column("the listening test")
    sweep: Text = column("name of the sweep")
    sweep_id: Text = column("hash of its file and run")
    trial_id: Text = column("what is compared on one screen")
    kind: Text = column("rating (how like the reference, 0 to 100) or choice (which is most like the target)")
    sound_id: Text = column("name of the file; says nothing of what it is")
    role: Text = column("reference (hidden), anchor (behind a low-pass filter), unsteered, steered or random")
    generation_id: Text = column("what is heard")
    setting_id: Text = column("setting that is judged, as in the view effects")
    concept: Text = column("label column that is steered")
    source: Text = column("class of the prompt")
    target: Text = column("class that it is steered to; several joined by +")
    template: Text = column("prompt with the class in braces")
    audio_prompt: Text = column("recording that is continued, as the sweep's file names it; NULL: none")
    random_state: Count = column("of the sampling noise")
    created_at: Time = column("when the test was made (UTC)")


LISTENING_SOUNDS = Table("listening_sounds", ListeningSoundRow)
