"""Imports files of answers into a store, all or none, each once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from analysis.rank_agreement import Agreement
from jobs.evaluate.records import now
from jobs.listen.agreement import COMPARED, agreements, why_nobody_counts
from jobs.listen.key import KIND as KEY
from jobs.listen.ratings import KIND, Row, rating_rows, read_answers
from store.catalog.asking import Catalog
from store.errors import Conflict, NotFound
from store.opening import Store, open_store
from store.results.parts import digest_of, read_results, write_results
from store.results.schemas import TABLES

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
        stamped = [row | {"created_at": now()} for row in rows]
        write_results(opened, KIND, _specification(document), TABLES[KIND].of(stamped))
    return {"files": len(read), "new": len(new), **_summary(opened)}


def _key(store: Store) -> dict[str, list[Row]]:
    catalog = Catalog.of(store)
    if not catalog.has(KEY):
        raise NotFound(
            f"{store.url} has no listening test. Make one with: "
            f"undertone listen export {quote(store.url)} SWEEP --into DIR"
        )
    key: dict[str, list[Row]] = {}
    for row in catalog.rows(f"SELECT * EXCLUDE (created_at) FROM {KEY} ORDER BY ALL"):  # noqa: S608
        key.setdefault(row["test_id"], []).append(row)
    return key


def _specification(document: Mapping[str, Any]) -> dict[str, Any]:
    """Who answered what test in which order: a listener's second thoughts are no second listener."""
    return {name: document[name] for name in IDENTITY}


def _is_new(store: Store, path: Path, document: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    known = read_results(store, KIND, _specification(document))
    if known is None:
        return True
    if _judgements(known.to_pylist()) != _judgements(rows):
        raise Conflict(
            f"{path}: listener {rows[0]['listener']!r} with seed {document['seed']} has given other answers "
            f"to test {document['test']} before. If it is somebody else, change the name in the file."
        )
    return False


def _judgements(rows: Sequence[Row]) -> str:
    return digest_of(sorted([row["trial_id"], row["sound_id"], row["value"]] for row in rows))


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
