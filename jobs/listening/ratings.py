"""A file of answers, checked against the key of its test, as rows of `ratings`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.listening.page import FORMAT, VERSION
from jobs.user_files import read_json
from store.errors import InvalidInput

KIND = "ratings"

Row = dict[str, Any]
Key = Mapping[str, Sequence[Row]]
"""Rows of `listening_sounds` by test_id."""

_TEXT, _NUMBER, _COUNT, _TIME = pa.string(), pa.float64(), pa.int64(), pa.timestamp("us")
_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "test_id": (_TEXT, "the listening test"),
    "sweep": (_TEXT, "name of the sweep"),
    "sweep_id": (_TEXT, "hash of its file and run"),
    "listener": (_TEXT, "name that was given, or the seed"),
    "seed": (_COUNT, "decided the order of everything"),
    "trial_id": (_TEXT, "what was compared on one screen"),
    "kind": (_TEXT, "rating (how like the reference) or choice (which is most like the target)"),
    "sound_id": (_TEXT, "the sound that is judged"),
    "role": (_TEXT, "reference (hidden), anchor (behind a low-pass filter), unsteered, steered or random"),
    "generation_id": (_TEXT, "what was heard"),
    "setting_id": (_TEXT, "setting that is judged, as in the view effects"),
    "concept": (_TEXT, "label column that is steered"),
    "source": (_TEXT, "class of the prompt"),
    "target": (_TEXT, "class that it is steered to; several joined by +"),
    "template": (_TEXT, "prompt with the class in braces"),
    "audio_prompt": (_TEXT, "recording that is continued, as the sweep's file names it; NULL: none"),
    "random_state": (_COUNT, "of the sampling noise"),
    "value": (_NUMBER, "of a rating 0 to 100; of a choice 1 for the chosen sound, 0 for the others"),
    "alternatives": (_COUNT, "sounds to choose among"),
    "shown": (_COUNT, "place on the screen, from 0"),
    "answered_at": (_TIME, "when the listener finished (UTC)"),
    "created_at": (_TIME, "when it was imported (UTC)"),
}  # fmt: skip
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in _COLUMNS.items()]
)


def read_answers(path: Path) -> dict[str, Any]:
    """The document in a file, known to be a set of answers.

    Raises:
        InvalidInput: it is none; the message says why.
    """
    document = read_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidInput(f"{path} has no answers: its format is not {FORMAT!r}.")
    if document.get("version") != VERSION:
        raise InvalidInput(f"{path} has version {document.get('version')!r}; this reads version {VERSION}.")
    return document


def rating_rows(path: Path, document: Mapping[str, Any], key: Key) -> list[Row]:
    """The answers of one listener as rows.

    Args:
        path: of the file, for messages.
        document: its content.
        key: what the sounds of each known test are.

    Raises:
        InvalidInput: an answer is missing, or is not one of those that its trial allows.
    """
    test_id = document.get("test")
    if not isinstance(test_id, str) or test_id not in key:
        raise InvalidInput(
            f"{path} answers test {test_id!r}; this store has {', '.join(sorted(key)) or 'none'}."
        )
    seed, listener = document.get("seed"), document.get("listener")
    if type(seed) is not int or not 0 <= seed < 2**63 or not _is_text(listener):
        raise InvalidInput(
            f"{path} has seed {seed!r} and listener {listener!r}: a whole number and a text are due."
        )
    shared = {
        "seed": seed,
        "listener": listener or f"seed {seed}",
        "answered_at": _time(path, document.get("finished")),
    }
    trials: dict[str, list[Row]] = {}
    for row in key[test_id]:
        trials.setdefault(row["trial_id"], []).append(row)
    return [row | shared for row in _all_rows(path, document.get("answers"), trials)]


def _all_rows(path: Path, answers: Any, trials: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise InvalidInput(f"{path} has no list of answers.")
    named = [answer.get("trial") for answer in answers]
    for trial in named:
        if not isinstance(trial, str) or trial not in trials or named.count(trial) > 1:
            problem = "has two answers to" if named.count(trial) > 1 else "answers"
            raise InvalidInput(f"{path} {problem} trial {trial!r}; the test has {', '.join(trials)}.")
    if left := [trial for trial in trials if trial not in named]:
        raise InvalidInput(f"{path} lacks an answer to trial {left[0]!r} ({len(left)} of {len(trials)}).")
    for answer in answers:
        yield from _trial_rows(f"{path}, trial {answer['trial']}", answer, trials[answer["trial"]])


def _trial_rows(where: str, answer: Mapping[str, Any], sounds: Sequence[Row]) -> Iterator[Row]:
    names = {row["sound_id"] for row in sounds}
    shown = answer.get("shown")
    if not isinstance(shown, list) or sorted(map(str, shown)) != sorted(names):
        raise InvalidInput(f"{where}: the sounds shown are not those of the trial.")
    values = _scores(where, answer, names) if sounds[0]["kind"] == "rating" else _choice(where, answer, names)
    for row in sounds:
        place = {"shown": shown.index(row["sound_id"]), "alternatives": len(sounds)}
        yield row | place | {"value": values[row["sound_id"]]}


def _scores(where: str, answer: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    scores = answer.get("scores")
    if not isinstance(scores, dict) or set(scores) != names:
        raise InvalidInput(f"{where}: there is not one score for each of its {len(names)} sounds.")
    for name, score in scores.items():
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 100:
            raise InvalidInput(
                f"{where}: sound {name} has score {score!r}; it must be a number from 0 to 100."
            )
    return {name: float(score) for name, score in scores.items()}


def _choice(where: str, answer: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    chosen = answer.get("chosen")
    if not isinstance(chosen, str) or chosen not in names:
        raise InvalidInput(f"{where}: chosen is {chosen!r}; it must be one of {', '.join(sorted(names))}.")
    return {name: float(name == chosen) for name in names}


def _is_text(value: Any) -> bool:
    """Whether Parquet can hold it: JSON may name halves of letters."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _time(path: Path, text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{path} was finished at {text!r}, which is no time.") from error
