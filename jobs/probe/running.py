"""Run `undertone probe`: labels, tasks that are not done yet, fits, parts of `probes`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa

from analysis.concepts import Loss
from analysis.linear.penalties import PENALTIES
from analysis.probes.controls import FEW_GROUPS
from analysis.splits import Partition, official_partition
from jobs.fitting.labels import LabelledRows, record_labels, resolve_labels
from jobs.fitting.layers import select_layers
from jobs.fitting.mapping import choose_engine, map_tasks
from jobs.fitting.rows import MEMORY_BYTES
from jobs.fitting.user_tables import read_user_tables
from jobs.places import parse_reductions
from jobs.probe.fits import FittedSource, ProbeTask, fit_task
from jobs.probe.frame_moments import MOST_BLOCKS, BlockTask, MomentsKeeper, block_tasks, moments_of_block
from jobs.probe.handcrafted import handcrafted_sources
from jobs.probe.measurable import measurability_notes, measurable_part
from jobs.probe.options import ProbeOptions, parse_losses, parse_penalties
from jobs.probe.plan import Coverage, Features, ProbePlan, coverages
from jobs.probe.scores import probes_table
from jobs.progress.reporting import followed
from store.arrays.collection import Collection, open_collection
from store.errors import InvalidInput, counted
from store.opening import Store, open_store
from store.results.fits import CONFUSIONS, PROBES
from store.results.parts import committed_digest, read_results, write_results

BATCH_BYTES = 64_000_000
"""Layers of one array that are fitted in one batch by the logistic losses."""
OPERATIONS_PER_SECOND = 1e10


@dataclass(frozen=True, slots=True)
class Probed:
    """What a call of `undertone probe` found, newly or already there."""

    plan: ProbePlan
    table: pa.Table
    """All rows of `probes` that were asked for."""
    fitted: int
    """Pairs of source and loss that were fitted now."""
    known: int
    """Those that were stored already."""
    notes: list[str] = field(default_factory=list)


def probe_run(options: ProbeOptions) -> Probed:
    """Fit what is not stored yet, store it, and return all that was asked for.

    Raises:
        UndertoneError: labels, layers or options cannot be used; what is stored stays.
    """
    losses = parse_losses(options.loss)
    store = open_store(options.store)
    run = store.run(options.run)
    sources = _sources(run, options)
    user = read_user_tables(options.tables)
    labels = resolve_labels(store, run, options.labels, tables=user.tables)
    _refuse_numbers_alone(losses, labels, options)
    found = coverages(labels, _partition(labels, options))
    penalties = parse_penalties(options.penalties, PENALTIES)
    notes = [*user.notes, *labels.notes]
    if options.handcrafted:  # hours of audio perhaps: whatever can be refused was refused before
        extra, said = handcrafted_sources(store, run, labels, options.roots)
        sources, notes = [*sources, *extra], notes + said
    for coverage in found:
        notes += measurability_notes(coverage, labels, split=options.split)
    plan = _plan(store, sources, labels, found, penalties, options)
    notes += _control_notes(plan)
    record_labels(store, labels)
    wanted = [(source, loss) for loss in losses for source in sources if _possible(source, loss, labels)]
    if not wanted:
        raise InvalidInput(
            f"--loss {options.loss} fits rows that are clips, and these arrays have a row per frame or "
            "segment: use --loss mse, or --reduce mean."
        )
    notes += _impossible_notes(sources, losses, labels)
    parts = {
        pair: table
        for pair in wanted
        if (table := read_results(store, PROBES.kind, plan.specification(*pair))) is not None
    }
    missing = [pair for pair in wanted if pair not in parts]
    for fitted in _fitted(plan, store, missing, options):
        pair = (fitted.source, fitted.loss)
        parts[pair] = _write(plan, store, fitted)
        if fitted.unconverged:
            notes.append(
                f"{fitted.source.array} layer {fitted.source.layer}: {fitted.unconverged} logistic fits "
                "stopped before they had converged."
            )
    table = pa.concat_tables((parts[pair] for pair in wanted), promote_options="default")
    return Probed(plan, table, len(missing), len(wanted) - len(missing), notes)


def _sources(run: Collection, options: ProbeOptions) -> list[Features]:
    reductions = parse_reductions(options.reduce)
    found = select_layers(
        run, sites=options.sites, layers=options.layers, reductions=reductions, heads=options.heads
    )
    return [Features(run.prefix, layer.array, layer.layer, layer.head) for layer in found]


def _plan(
    store: Store,
    sources: Sequence[Features],
    labels: LabelledRows,
    found: Sequence[Coverage],
    penalties: tuple[float, ...],
    options: ProbeOptions,
) -> ProbePlan:
    prefixes = {source.prefix for source in sources}
    measurable, unmeasured = measurable_part(found)
    return ProbePlan(
        store_url=store.url,
        labels=labels,
        coverages=measurable,
        unmeasured=unmeasured,
        split=options.split,
        penalties=penalties,
        controls=options.controls,
        seed=options.seed,
        committed={
            prefix: committed_digest(open_collection(store.objects, prefix)) for prefix in sorted(prefixes)
        },
        keep_factors=options.keep_factors,
    )


def _partition(labels: LabelledRows, options: ProbeOptions) -> Partition:
    if options.split == "official":
        return official_partition(labels.groups, labels.splits, options.folds, among=labels.all_groups)
    return Partition(labels.folds(options.folds), options.folds, tuple(range(options.folds)))


def _refuse_numbers_alone(losses: Sequence[Loss], labels: LabelledRows, options: ProbeOptions) -> None:
    if "mse" not in losses and all(concept.kind == "number" for concept in labels.concepts):
        raise InvalidInput(
            f"--loss {options.loss} fits classes, and these labels are numbers alone: use --loss mse."
        )


def _control_notes(plan: ProbePlan) -> list[str]:
    notes = []
    for coverage in plan.coverages:
        groups = len(np.unique(coverage.groups))
        if plan.controls and groups < FEW_GROUPS:
            names = ", ".join(concept.name for concept in coverage.concepts)
            notes.append(
                f"{names}: labels of {counted(groups, 'group')} can hardly be shuffled; the control says "
                "little."
            )
    return notes


def _possible(source: Features, loss: Loss, labels: LabelledRows) -> bool:
    """Logistic losses want classes, and rows that are clips."""
    return loss == "mse" or (not source.over_time and any(c.kind == "class" for c in labels.concepts))


def _impossible_notes(sources: Sequence[Features], losses: Sequence[Loss], labels: LabelledRows) -> list[str]:
    numbers = [concept.name for concept in labels.concepts if concept.kind == "number"]
    if set(losses) == {"mse"}:
        return []
    notes = []
    if numbers:
        notes.append(f"{', '.join(numbers)}: numbers are fitted with the loss mse alone.")
    if any(source.over_time for source in sources):
        notes.append("frames and segments are fitted with the loss mse alone.")
    return notes


def _fitted(
    plan: ProbePlan, store: Store, missing: Sequence[tuple[Features, Loss]], options: ProbeOptions
) -> Iterator[FittedSource]:
    tasks = list(_tasks(plan, store, missing))
    over_time = [source for source, _ in missing if source.over_time]
    blocks = block_tasks(plan, store, over_time)
    seconds = _estimated_seconds(plan, store, missing, blocks)
    engine = choose_engine(options.engine, address=options.address, seconds=seconds)
    mapped = partial(
        map_tasks,
        engine=engine,
        address=options.address,
        workers=options.workers,
        store=store,
        task_bytes=_task_bytes(plan, store, missing),
        run_id=plan.labels.run_id,
    )
    keeper = MomentsKeeper(plan, store)
    summed = mapped(partial(moments_of_block, plan), blocks)
    for number, block in followed(summed, total=len(blocks), title="moments", unit="blocks"):
        keeper.take(blocks[number], block)
    found = mapped(partial(fit_task, plan), tasks)
    for _, group in followed(found, total=len(tasks), title="probe", unit="tasks"):
        yield from group


def _task_bytes(plan: ProbePlan, store: Store, missing: Sequence[tuple[Features, Loss]]) -> int:
    """About what one task takes: its rows up to what is held of them, and moments of each cell."""
    widths = [
        open_collection(store.objects, prefix).arrays[array].shape[-1]
        for prefix, array in {(source.prefix, source.array) for source, _ in missing}
    ]
    width = max(widths, default=0)
    cells = max((coverage.partition.count for coverage in plan.coverages), default=0)
    return min(4 * len(plan.labels.clip_ids) * width, MEMORY_BYTES) + 8 * width**2 * (3 * cells + 3)


def _tasks(plan: ProbePlan, store: Store, missing: Sequence[tuple[Features, Loss]]) -> Iterator[ProbeTask]:
    """A task per source; where layers are small, logistic losses take several at once."""
    batches: dict[tuple[str, str, Loss], list[Features]] = {}
    for source, loss in missing:
        if loss == "mse":
            yield ProbeTask((source,), loss)
        else:
            batches.setdefault((source.prefix, source.array, loss), []).append(source)
    for (prefix, array, loss), sources in batches.items():
        width = open_collection(store.objects, prefix).arrays[array].shape[-1]
        step = max(1, int(BATCH_BYTES // (len(plan.labels.clip_ids) * width * 8)))
        for first in range(0, len(sources), step):
            yield ProbeTask(tuple(sources[first : first + step]), loss)


def _write(plan: ProbePlan, store: Store, fitted: FittedSource) -> pa.Table:
    """Store the probes of one source; confusions first, for the probes say that all is there."""
    specification = plan.specification(fitted.source, fitted.loss)
    if fitted.confusions:
        write_results(store, CONFUSIONS.kind, specification, CONFUSIONS.of(fitted.confusions))
    table = probes_table(fitted.probes)
    write_results(store, PROBES.kind, specification, table)
    return table


def _estimated_seconds(
    plan: ProbePlan, store: Store, missing: Sequence[tuple[Features, Loss]], blocks: Sequence[BlockTask]
) -> float:
    """Rough time of everything on one thread."""
    widths: Mapping[tuple[str, str], int] = {
        (source.prefix, source.array): open_collection(store.objects, source.prefix)
        .arrays[source.array]
        .shape[-1]
        for source, _ in missing
    }
    operations = 0.0
    for source, loss in missing:
        width = widths[source.prefix, source.array]
        for coverage in plan.coverages:
            rows, cells = len(coverage.clip_ids), coverage.partition.count
            classes = sum(max(1, len(concept.classes)) for concept in coverage.concepts)
            columns, axes = classes * (1 + plan.controls), min(rows, width)
            fits = cells * (cells + 1) / 2 * len(plan.penalties)
            if loss == "mse":
                operations += cells * (cells + 1) * axes**3 + fits * 8 * axes**2 * columns
                operations += rows * width * (axes + columns)
            else:
                operations += 100 * fits * rows * width * columns
    operations += sum(_frames_in_block(plan, store, task) for task in blocks)
    return operations / OPERATIONS_PER_SECOND


def _frames_in_block(plan: ProbePlan, store: Store, task: BlockTask) -> float:
    """Multiplications that the moments of one block take."""
    _, times, width = open_collection(store.objects, task.source.prefix).arrays[task.source.array].shape
    clips = len(plan.coverages[task.coverage].clip_ids) / MOST_BLOCKS
    return clips * times * float(width) ** 2
