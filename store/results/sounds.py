"""Columns of what is generated, of how it and clips score, and of listening tests."""

from store.results.table import COUNT, COUNTS, FLAG, NUMBER, NUMBERS, TEXT, TEXTS, TIME, VECTOR, Table

GENERATIONS = Table(
    "generations",
    {
        "generation_id": (
            TEXT,
            "hash of all that decides how it sounds; equal ids: equal sounds but for ties",
        ),
        "twin_id": (TEXT, "generation_id of the same without edits; NULL where there are none"),
        "model": (TEXT, "name of the model"),
        "model_fingerprint": (TEXT, "hash of the model's weights"),
        "text": (TEXT, "text condition; empty: none"),
        "seconds": (NUMBER, "length, an audio prompt included"),
        "random_state": (COUNT, "key of the sampling noise: equal states share their noise"),
        "guidance": (NUMBER, "of classifier-free guidance; 1: none"),
        "temperature": (NUMBER, "of sampling"),
        "top_k": (COUNT, "sampled among so many tokens; 0: all"),
        "top_p": (NUMBER, "or among the tokens that together are so probable; 0: not used"),
        "prompt_seconds": (NUMBER, "length of the audio prompt; NULL: none"),
        "prompt_clip_id": (TEXT, "clip that the audio prompt was taken from"),
        "steered": (FLAG, "whether any edit acts"),
        "site": (TEXT, "where it is steered: embed, resid, attn, xattn or mlp, joined by + where several"),
        "layers": (COUNTS, "layers that are steered, one per edit"),
        "vector_ids": (TEXTS, "directions, one per edit; see the view vectors"),
        "alphas": (NUMBERS, "strength times layer weight, one per edit"),
        "kind": (TEXT, "interpolate, add or ablate, joined by + where several"),
        "scaling": (TEXT, "norm, unit or norm_restored, joined by + where several"),
        "schedule": (TEXT, "over time, joined by + where several"),
        "monitor": (TEXT, "self-monitor P[:DECAY], joined by + where several; NULL: none"),
        "rows": (TEXT, "rows steered under guidance: conditional or both"),
        "steer_prompt": (FLAG, "whether the audio prompt's frames are steered too"),
        "specification": (TEXT, "JSON: the whole truth, of which the other columns are a part"),
        "audio": (TEXT, "key of the sound below the store"),
        "sample_rate": (COUNT, "of the sound, per second"),
        "peak": (NUMBER, "largest absolute sample; above 1 the file is clipped"),
        "device": (TEXT, "what it was computed on"),
        "torch": (TEXT, "version of torch"),
        "created_at": (TIME, "when it was written (UTC)"),
    },
)

EMBEDDINGS = Table(
    "embeddings",
    {
        "item_id": (TEXT, "clip_id or generation_id"),
        "item_kind": (TEXT, "clip or generation"),
        "dataset": (TEXT, "dataset of a clip; NULL for generations"),
        "sha256": (TEXT, "checksum of the recording's file; NULL for generations, whose id says as much"),
        "clap": (TEXT, "name of the CLAP"),
        "clap_fingerprint": (TEXT, "hash of its weights, vocabulary, spectrogram settings and resampler"),
        "embedding": (VECTOR, "what it hears: a vector of length one"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
)

EVALUATIONS = Table(
    "evaluations",
    {
        "item_id": (TEXT, "clip_id or generation_id"),
        "item_kind": (TEXT, "clip or generation"),
        "dataset": (TEXT, "dataset of a clip; NULL for generations"),
        "sha256": (TEXT, "checksum of the recording's file; NULL for generations, whose id says as much"),
        "scorer": (
            TEXT,
            "clap, judge, features (handcrafted), probe (of clips that no direction saw) or descriptors",
        ),
        "scorer_name": (TEXT, "name of the model that scored"),
        "scorer_version": (TEXT, "hash of its weights and settings"),
        "concept": (TEXT, "what was asked: the name of a set of prompts, or of what the judge hears"),
        "class": (TEXT, "the class that the value is for; NULL for numbers such as a tempo"),
        "text": (TEXT, "the very text that was compared with the audio; NULL for the judge"),
        "prompt_set": (
            TEXT,
            (
                "hash of all classes and texts among which probability was divided; NULL where no texts "
                "were asked"
            ),
        ),
        "measure": (
            TEXT,
            (
                "probability: over the classes of the concept; cosine: of text and audio; tempo_bpm: most "
                "likely tempo of its onsets, beats per minute; spectral_centroid_hz: centre of its power "
                "spectrum, averaged over time: how bright it is; onset_rate: onsets per second; "
                "percussive_ratio: share of its energy that is percussive (median filtering, Fitzgerald "
                "2010); pitch_class: pitch class of its key, 0 = C … 11 = B, by key profiles (Krumhansl & "
                "Kessler 1982); majorness: correlation with the best major key profile minus that with the "
                "best minor one; loudness_db: root mean square, dB of full scale; spectral_flatness: "
                "geometric over arithmetic mean of the power spectrum: 0 tone, 1 noise; clipping: share of "
                "samples at full scale; silence: share of frames below -60 dB of full scale; "
                "spectral_flux_db: mean rise of its mel spectrogram from frame to frame, dB: how much sets "
                "in; mel_variation_db: deviation over time of its mel spectrogram, dB, the mean over bands: "
                "0 is a drone; repetition: largest autocorrelation of its mel spectrogram: 1 is a loop, or "
                "a standstill"
            ),
        ),
        "value": (NUMBER, "the score"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
)

SIMILARITIES = Table(
    "similarities",
    {
        "item_id": (TEXT, "the generation"),
        "reference_id": (TEXT, "the generation it is compared with"),
        "measure": (
            TEXT,
            "chroma (mean cosine of simultaneous pitch classes) or onset (correlation of onsets)",
        ),
        "value": (NUMBER, "1: all is kept; 0 where one of the two is silent; NULL where both are"),
        "version": (TEXT, "of the definition"),
        "created_at": (TIME, "when it was computed (UTC)"),
    },
)


RATINGS = Table(
    "ratings",
    {
        "test_id": (TEXT, "the listening test"),
        "sweep": (TEXT, "name of the sweep"),
        "sweep_id": (TEXT, "hash of its file and run"),
        "listener": (TEXT, "name that was given, or the seed"),
        "seed": (COUNT, "decided the order of everything"),
        "trial_id": (TEXT, "what was compared on one screen"),
        "kind": (TEXT, "rating (how like the reference) or choice (which is most like the target)"),
        "sound_id": (TEXT, "the sound that is judged"),
        "role": (TEXT, "reference (hidden), anchor (behind a low-pass filter), unsteered, steered or random"),
        "generation_id": (TEXT, "what was heard"),
        "setting_id": (TEXT, "setting that is judged, as in the view effects"),
        "concept": (TEXT, "label column that is steered"),
        "source": (TEXT, "class of the prompt"),
        "target": (TEXT, "class that it is steered to; several joined by +"),
        "template": (TEXT, "prompt with the class in braces"),
        "audio_prompt": (TEXT, "recording that is continued, as the sweep's file names it; NULL: none"),
        "random_state": (COUNT, "of the sampling noise"),
        "value": (NUMBER, "of a rating 0 to 100; of a choice 1 for the chosen sound, 0 for the others"),
        "alternatives": (COUNT, "sounds to choose among"),
        "shown": (COUNT, "place on the screen, from 0"),
        "answered_at": (TIME, "when the listener finished (UTC)"),
        "created_at": (TIME, "when it was imported (UTC)"),
    },
    read_by_views=True,
)

LISTENING_SOUNDS = Table(
    "listening_sounds",
    {
        "test_id": (TEXT, "the listening test"),
        "sweep": (TEXT, "name of the sweep"),
        "sweep_id": (TEXT, "hash of its file and run"),
        "trial_id": (TEXT, "what is compared on one screen"),
        "kind": (TEXT, "rating (how like the reference, 0 to 100) or choice (which is most like the target)"),
        "sound_id": (TEXT, "name of the file; says nothing of what it is"),
        "role": (TEXT, "reference (hidden), anchor (behind a low-pass filter), unsteered, steered or random"),
        "generation_id": (TEXT, "what is heard"),
        "setting_id": (TEXT, "setting that is judged, as in the view effects"),
        "concept": (TEXT, "label column that is steered"),
        "source": (TEXT, "class of the prompt"),
        "target": (TEXT, "class that it is steered to; several joined by +"),
        "template": (TEXT, "prompt with the class in braces"),
        "audio_prompt": (TEXT, "recording that is continued, as the sweep's file names it; NULL: none"),
        "random_state": (COUNT, "of the sampling noise"),
        "created_at": (TIME, "when the test was made (UTC)"),
    },
)
