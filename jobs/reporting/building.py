"""Builds the page of a store: a section per run, and in it one per concept."""

from collections.abc import Iterator, Sequence
from shlex import quote

from jobs.fitting.label_query import labels_there_are
from jobs.reporting.answers import Answers, Row, open_answers
from jobs.reporting.automatic import automatic_figure
from jobs.reporting.close_looks import class_figure, confusion_figure, cosine_figure
from jobs.reporting.comparisons import comparison_figure
from jobs.reporting.curves import cluster_curves, direction_curves, probe_curves
from jobs.reporting.damage import damage_figure
from jobs.reporting.facts import run_facts, run_row, run_warnings
from jobs.reporting.failures import failure_figure
from jobs.reporting.interference import interference_figure
from jobs.reporting.layer_choice import beside_figure, choice_figure
from jobs.reporting.listening import listening_figure
from jobs.reporting.overview import overview_figure
from jobs.reporting.page import Page, Section, anchor
from jobs.reporting.ratings import ratings_figure
from jobs.reporting.steering import chosen_figure, layer_figure, trade_figure
from jobs.reporting.subjects import Subject, subjects
from jobs.reporting.sweeps import Sweep, question_of, sweeps_of, warnings_of
from store.catalog import refresh_catalog
from store.errors import NotFound
from store.opening import Store
from store.query import notes_of


def build_page(
    store: Store, *, run: str | None = None, place: tuple[str, int] | None = None, name: str = ""
) -> Page:
    """What there is to report of a store, or of one of its runs.

    Args:
        store: where the results are.
        run: the only run to report; by default every run that has results.
        place: site and layer to look at closely; by default the best layer of each concept.
        name: of the store, for the title.

    Raises:
        NotFound: there is nothing to report; the message names the command to run next.
    """
    answers = open_answers(store)
    runs = _runs_with_results(answers, store, run)
    rows = [run_row(answers, run_id) for run_id in runs]
    counted = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return Page(
        title=f"What the layers hold: {name or store.url}",
        subtitle=f"{counted}; every table is the answer to the SQL below it.",
        facts=[(row["run_id"], run_facts(row)) for row in rows],
        sections=[section for row in rows for section in _run_sections(answers, store, row, place)],
        warnings=[f"{note[0].upper()}{note[1:]}" for note in notes_of(answers.catalog)],
    )


def _runs_with_results(answers: Answers, store: Store, run: str | None) -> list[str]:
    if run is not None:
        run = store.run(run).prefix.rsplit("/", 1)[-1]
    known = [row["run_id"] for row in answers.rows("SELECT run_id FROM runs ORDER BY run_id")]
    found = [row["run_id"] for row in answers.rows("SELECT DISTINCT run_id FROM layers ORDER BY run_id")]
    chosen = [run_id for run_id in found if run_id in known and run in (None, run_id)]
    if not chosen:
        raise NotFound(_nothing_yet(store, known, run))
    return chosen


def _nothing_yet(store: Store, known: Sequence[str], run: str | None) -> str:
    if not known:
        start = f"undertone extract {quote(store.url)} DATASET"
        return f"{store.url} has no run to report yet. Start one with: {start}"
    chosen = run or known[0]
    return (
        f"Nothing was fitted on {'run ' + run if run else 'any run'} yet. Fit probes with: undertone probe "
        f"{quote(store.url)} {chosen} --labels QUERY; undertone kmeans and undertone directions work alike. "
        f"{labels_there_are(refresh_catalog(store), chosen)}"
    )


def _run_sections(
    answers: Answers, store: Store, row: Row, place: tuple[str, int] | None
) -> Iterator[Section]:
    run_id = row["run_id"]
    about = subjects(answers, run_id, place)
    figures = (overview_figure(answers, run_id, place), cosine_figure(answers, run_id, place))
    yield Section(
        anchor(run_id),
        f"{row['dataset']} through {row['model']}",
        f"{len(about)} concept{'s' if len(about) > 1 else ''}, read from the activations of run {run_id}.",
        tuple(figure for figure in figures if figure is not None),
        run_warnings(answers, row, about),
    )
    for subject in about:
        yield _concept_section(answers, subject)
    for sweep in sweeps_of(answers, run_id):
        yield _sweep_section(answers, store, sweep)


def _concept_section(answers: Answers, subject: Subject) -> Section:
    figures = (
        probe_curves(answers, subject),
        confusion_figure(answers, subject),
        class_figure(answers, subject),
        cluster_curves(answers, subject),
        direction_curves(answers, subject),
    )
    return Section(
        anchor(subject.run_id, subject.title),
        subject.title,
        _lead(subject),
        tuple(figure for figure in figures if figure is not None),
        level=3,
    )


def _sweep_section(answers: Answers, store: Store, sweep: Sweep) -> Section:
    figures = (
        chosen_figure(answers, sweep),
        damage_figure(answers, sweep),
        comparison_figure(answers, sweep),
        layer_figure(answers, sweep),
        beside_figure(answers, sweep),
        choice_figure(answers, sweep),
        trade_figure(answers, sweep),
        automatic_figure(answers, sweep),
        interference_figure(answers, sweep),
        failure_figure(answers, sweep),
        listening_figure(answers, store, sweep),
        ratings_figure(answers, sweep),
    )
    return Section(
        anchor(sweep.sweep_id),
        f"Steering: {sweep.title}",
        " ".join(filter(None, [question_of(answers, sweep), _chosen_by(sweep)])),
        tuple(figure for figure in figures if figure is not None),
        warnings_of(answers, sweep),
        level=3,
    )


def _chosen_by(sweep: Sweep) -> str:
    return f"Every number stands beside its controls; {sweep.scorer or 'nobody'} chose the settings."


def _lead(subject: Subject) -> str:
    if subject.verdict == "not measurable":
        return "Not measurable: too few of its classes are fitted and held out; `undertone probe` says more."
    if subject.score is None:
        return f"No probe is fitted for this concept; looked at closely at {subject.place}."
    if subject.best is not None:
        return f"At {subject.place}, as asked: {_read(subject)}. {_lead(subject.best)}"
    if subject.verdict is None or subject.verdict.startswith("better"):
        return f"Best read at {subject.place} ({_read(subject)})."
    return f"Not surely read anywhere: highest at {subject.place} ({_read(subject)}; {subject.verdict})."


def _read(subject: Subject) -> str:
    metric = "R²" if subject.metric == "r2" else "accuracy"
    return f"{subject.loss} probe, {metric} {subject.score:.3f}"
