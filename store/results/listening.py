"""Columns of listening tests: the key of their sounds, and answers."""

from store.results.table import COUNT, NUMBER, TEXT, TIME, Table

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
