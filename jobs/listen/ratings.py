"""Checks a file of answers against the key of its test and turns it into rows of `ratings`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.listen.page import FORMAT, VERSION
from jobs.user_files import read_json
from store.errors import InvalidInput
from store.results.schemas import TABLES

KIND = "ratings"

Row = dict[str, Any]
Key = Mapping[str, Sequence[Row]]
"""Rows of `listening_sounds` by test_id."""

SCHEMA = TABLES[KIND].schema()


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
