"""Apply probes of every layer of one run to every layer of another, and keep what is new."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.concepts import require_contrast, without_rare_classes
from analysis.linear import ridge
from analysis.linear.penalties import PENALTIES
from analysis.probe_transfer import VERSION, Labelled, SourceLayer, Transfer, fit_layer, transfer
from analysis.probes import scores
from analysis.splits import Partition
from jobs.compare.layers import Place, Sides, name_of, sides_of
from jobs.compare.options import CompareOptions
from jobs.fitting.labels import LabelledRows, resolve_labels
from jobs.fitting.rows import Rows
from jobs.fitting.user_tables import read_user_tables
from jobs.probe.measurable import measurable_part
from jobs.probe.plan import Coverage, cells_digest, coverages
from jobs.progress.reporting import note, stepped
from store.arrays.collection import Collection
from store.errors import InvalidInput
from store.results.fits import PROBE_TRANSFERS, ProbeTransferRow
from store.results.parts import committed_digest, digest_of, read_results, write_results
from store.results.table import now

KIND = PROBE_TRANSFERS.kind
CURE = "Those are clips of both runs: check the WHERE of the label query."


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """All that does not differ between pairs."""

    sides: Sides
    labels: LabelledRows
    covered: tuple[tuple[Coverage, Labelled], ...]
    controls: int
    committed: tuple[str, str]

    def specification(self, one: Place, other: Place) -> dict[str, Any]:
        """All that decides the rows of a pair of layers."""
        names = name_of(self.sides.run), name_of(self.sides.other)
        return {
            "version": VERSION,
            "probes": [ridge.VERSION, scores.VERSION],
            "pair": [
                [*side] for side in zip(self.committed, names, *zip(one, other, strict=True), strict=True)
            ],
            "labels": self.labels.labels_hash,
            "cells": [cells_digest(coverage) for coverage, _ in self.covered],
            "penalties": list(PENALTIES),
            "controls": self.controls,
        }


def run_transfers(options: CompareOptions) -> pa.Table:
    """Rows of the view `probe_transfers` of all pairs of layers; what is stored is not computed again.

    Raises:
        NotFound: there is no such run, array or layer.
        InvalidInput: the runs share too few labelled clips, or an array has several vectors per clip.
        QueryRefused: the query is wrong.
    """
    work = _resolved(options)
    sides, sources = work.sides, dict[tuple[int, Place], SourceLayer]()
    tables: list[pa.Table] = []
    with stepped("transfer", unit="pairs") as advance:
        for there in sides.other_layers:
            tables += _into(work, there, sources)
            advance(len(tables), len(sides.layers) * len(sides.other_layers))
    return pa.concat_tables(tables)


def _resolved(options: CompareOptions) -> _Work:
    assert options.labels is not None
    sides, user = sides_of(options), read_user_tables(options.tables)
    labels = resolve_labels(sides.store, sides.run, options.labels, tables=user.tables)
    for said in (*user.notes, *labels.notes):
        note(said)
    labels = _of_both(labels, sides.other)
    partition = Partition(labels.folds(options.folds), options.folds, tuple(range(options.folds)))
    measurable, unmeasured = measurable_part(coverages(labels, partition))
    if not measurable:
        raise InvalidInput(
            f"{', '.join(concept.name for concept in unmeasured)}: with these groups and {options.folds} "
            "folds no class is held out that others were trained on. Label clips of more groups."
        )
    for concept in unmeasured:
        note(f"{concept.name} cannot be measured with these groups and folds, and is left out.")
    covered = tuple(
        (one, Labelled.of(one.concepts, one.groups, one.partition, controls=options.controls, seed=0))
        for one in measurable
    )
    digests = committed_digest(sides.run), committed_digest(sides.other)
    return _Work(sides, labels, covered, options.controls, digests)


def _of_both(labels: LabelledRows, other: Collection) -> LabelledRows:
    """The labelled clips that the other run has numbers of, too."""
    _, usable = other.index().usable
    both = pc.is_in(pa.array(labels.clip_ids, pa.string()), value_set=usable).to_numpy(zero_copy_only=False)
    if both.all():
        return labels
    if not both.any():
        raise InvalidInput(
            f"None of the {len(both)} labelled clips of {labels.run_id} has activations in {name_of(other)}: "
            "runs are compared by clips of one dataset, cut alike."
        )
    note(f"{(~both).sum()} labelled clips are not in {name_of(other)}, and are left out.")
    used, own = np.unique(labels.group_codes[both], return_inverse=True)
    concepts = [without_rare_classes(concept.subset(both), own)[0] for concept in labels.concepts]
    for concept in concepts:
        require_contrast(concept, rows="clips", cure=CURE)
    return replace(
        labels,
        clip_ids=tuple(clip for clip, kept in zip(labels.clip_ids, both, strict=True) if kept),
        group_names=tuple(labels.group_names[code] for code in used),
        group_codes=own.astype(np.int32),
        splits=labels.splits[both],
        concepts=tuple(concepts),
    )


def _into(work: _Work, there: Place, sources: dict[tuple[int, Place], SourceLayer]) -> list[pa.Table]:
    """The rows of all layers into one layer of the other run; `sources` are kept from one to the next."""
    stored = {
        here: read_results(work.sides.store, KIND, work.specification(here, there))
        for here in work.sides.layers
    }
    missing = [here for here, table in stored.items() if table is None]
    rows: dict[Place, list[ProbeTransferRow]] = {here: [] for here in missing}
    for number, (coverage, given) in enumerate(work.covered if missing else ()):
        target = fit_layer(_rows(work.sides.other, there, coverage), given, PENALTIES)
        for here in missing:
            from_rows = _rows(work.sides.run, here, coverage)
            if (number, here) not in sources:
                sources[number, here] = fit_layer(from_rows, given, PENALTIES).fitted
            found = transfer(sources[number, here], from_rows, target, given, PENALTIES)
            rows[here] += [_row(work, coverage, here, there, one) for one in found]
    for here, of_pair in rows.items():
        table = PROBE_TRANSFERS.of(of_pair)
        write_results(work.sides.store, KIND, work.specification(here, there), table)
        stored[here] = table
    return [table for table in stored.values() if table is not None]


def _rows(run: Collection, place: Place, coverage: Coverage) -> Rows:
    return Rows.of_clips(run, *place, coverage.clip_ids)


def _row(work: _Work, coverage: Coverage, here: Place, there: Place, found: Transfer) -> ProbeTransferRow:
    concept = next(one for one in coverage.concepts if one.name == found.concept)
    whole = next(one for one in work.labels.concepts if one.name == found.concept)
    moved, own, control = found.moved, found.own, found.moved.control
    return ProbeTransferRow(
        transfer_id=digest_of(work.specification(here, there)),
        run_id=name_of(work.sides.run),
        array=here[0],
        layer=here[1],
        other_run_id=name_of(work.sides.other),
        other_array=there[0],
        other_layer=there[1],
        concept=found.concept,
        through=found.through,
        metric="accuracy" if concept.kind == "class" else "r2",
        score=moved.score,
        score_low=moved.low,
        score_high=moved.high,
        control=None if control is None else control.score,
        control_low=None if control is None else control.low,
        control_high=None if control is None else control.high,
        baseline=moved.baseline,
        verdict=moved.verdict,
        own_score=own.score,
        own_low=own.low,
        own_high=own.high,
        source_score=found.source.score,
        clips=len(coverage.clip_ids),
        groups=len(np.unique(coverage.groups)),
        classes=len(concept.classes) or None,
        folds=len(coverage.partition.tested),
        labels_hash=work.labels.hash_of(whole),
        created_at=now(),
    )
