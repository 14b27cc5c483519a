"""Import files of answers into a store, all or none, each once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa

from analysis.rank_agreement import Agreement
from jobs.listen.agreement import COMPARED, agreements, why_nobody_counts
from jobs.listen.exporting import FORMAT, VERSION
from jobs.user_files import read_json
from store.catalog.asking import Catalog
from store.errors import Conflict, InvalidInput, NotFound, counted
from store.opening import Store, open_store
from store.results.parts import digest_of, read_results, write_results
from store.results.sounds import LISTENING_SOUNDS, RATINGS, ListeningSoundRow, RatingRow
from store.results.table import now

TestKey = Mapping[str, Sequence[ListeningSoundRow]]
"""What the sounds of each test are, by test_id."""


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


def rating_rows(path: Path, document: Mapping[str, Any], key: TestKey) -> list[RatingRow]:
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
    finished = _time(path, document.get("finished"))
    trials: dict[str, list[ListeningSoundRow]] = {}
    for sound in key[test_id]:
        trials.setdefault(str(sound.trial_id), []).append(sound)
    return [
        replace(row, seed=seed, listener=listener or f"seed {seed}", answered_at=finished)
        for row in _all_rows(path, document.get("answers"), trials)
    ]


def _all_rows(
    path: Path, answers: Any, trials: Mapping[str, Sequence[ListeningSoundRow]]
) -> Iterator[RatingRow]:
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


def _trial_rows(
    where: str, answer: Mapping[str, Any], sounds: Sequence[ListeningSoundRow]
) -> Iterator[RatingRow]:
    names = {str(sound.sound_id) for sound in sounds}
    shown = answer.get("shown")
    if not isinstance(shown, list) or sorted(map(str, shown)) != sorted(names):
        raise InvalidInput(f"{where}: the sounds shown are not those of the trial.")
    values = _scores(where, answer, names) if sounds[0].kind == "rating" else _choice(where, answer, names)
    for sound in sounds:
        yield RatingRow(
            **asdict(sound),
            value=values[str(sound.sound_id)],
            alternatives=len(sounds),
            shown=shown.index(sound.sound_id),
        )


def _scores(where: str, answer: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    scores = answer.get("scores")
    if not isinstance(scores, dict) or set(scores) != names:
        raise InvalidInput(f"{where}: there is not one score for each of its {counted(len(names), 'sound')}.")
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


IDENTITY = ("test", "seed", "listener")


def import_ratings(store: str, paths: Sequence[Path]) -> dict[str, Any]:
    """Import answers; returns counts, and how people and CLAP agree by now.

    Raises:
        InvalidInput: a file is wrong; the message says what. Nothing was imported then.
        Conflict: the same listener gave other answers before.
        NotFound: the store has no listening test.
    """
    opened = open_store(store)
    key = _key(opened)
    read = [(path, read_answers(path)) for path in dict.fromkeys(paths)]
    checked = [(path, document, rating_rows(path, document, key)) for path, document in read]
    new = [one for one in checked if _is_new(opened, *one)]
    for _, document, rows in new:
        stamped = RATINGS.of(replace(row, created_at=now()) for row in rows)
        write_results(opened, RATINGS.kind, _specification(document), stamped)
    return {"files": len(read), "new": len(new), **_summary(opened)}


def _key(store: Store) -> dict[str, list[ListeningSoundRow]]:
    catalog = Catalog.of(store)
    if not catalog.has(LISTENING_SOUNDS.kind):
        raise NotFound(
            f"{store.url} has no listening test. Make one with: "
            f"undertone listen export {quote(store.url)} SWEEP --into DIR"
        )
    columns = ", ".join(name for name in LISTENING_SOUNDS.columns if name != "created_at")
    key: dict[str, list[ListeningSoundRow]] = {}
    for row in catalog.rows(f"SELECT {columns} FROM listening_sounds ORDER BY ALL"):  # noqa: S608 (our own words)
        key.setdefault(row["test_id"], []).append(ListeningSoundRow(**row))
    return key


def _specification(document: Mapping[str, Any]) -> dict[str, Any]:
    """Who answered what test in which order: a listener's second thoughts are no second listener."""
    return {name: document[name] for name in IDENTITY}


def _is_new(store: Store, path: Path, document: Mapping[str, Any], rows: Sequence[RatingRow]) -> bool:
    known = read_results(store, RATINGS.kind, _specification(document))
    if known is None:
        return True
    if _judgements(known) != _judgements(RATINGS.of(rows)):
        raise Conflict(
            f"{path}: listener {rows[0].listener!r} with seed {document['seed']} has given other answers "
            f"to test {document['test']} before. If it is somebody else, change the name in the file."
        )
    return False


def _judgements(ratings: pa.Table) -> str:
    columns = ratings.select(["trial_id", "sound_id", "value"])
    return digest_of(sorted(list(row.values()) for row in columns.to_pylist()))


def _summary(store: Store) -> dict[str, Any]:
    ask = Catalog.of(store).rows
    (found,) = ask("SELECT count(*) AS listeners, count(*) FILTER (NOT kept) AS left_out FROM listeners")
    sweeps = ask("SELECT DISTINCT sweep, sweep_id FROM ratings ORDER BY ALL")
    for row in sweeps:
        agreed = agreements(ask, row["sweep_id"])
        name = row["sweep"] if sum(row["sweep"] == one["sweep"] for one in sweeps) == 1 else row["sweep_id"]
        said_of = {words: said(agreed[kind]) for kind, (_, words) in COMPARED.items()}
        found[name] = why_nobody_counts(ask, row["sweep_id"]) or said_of
    return found


def said(agreement: Agreement) -> str:
    """An agreement in words."""
    if agreement.correlation != agreement.correlation:
        return "undecided: too few settings, or all alike"
    interval = f" ({agreement.low:.2f} to {agreement.high:.2f})" if agreement.low == agreement.low else ""
    return f"{agreement.verdict}: rank correlation {agreement.correlation:.2f}{interval}"
