"""Build the report of a store: a section per run with its facts, and in it one per concept."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from shlex import quote

from jobs.fitting.label_query import labels_there_are
from jobs.report.answers import Answers, Row, open_answers, where
from jobs.report.drawing import Withheld, drawn_figures, named_figures
from jobs.report.figures.listening import best_example
from jobs.report.page import Example, Page, Section, anchor
from jobs.report.protocol import ReportFigure
from jobs.report.subjects import ReportedRun, Subject, subjects
from jobs.report.sweeps import Sweep, question_of, sweeps_of, warnings_of
from jobs.report.words import answer_in_words, of_steering
from jobs.terminal.results import readable_bytes
from store.catalog.catalog import refresh_catalog
from store.catalog.query import notes_of
from store.errors import CorruptData, NotFound, counted
from store.opening import Store

RUN = """\
SELECT r.*, d.clip_seconds, d.groups FROM runs r LEFT JOIN datasets d ON d.dataset = r.dataset {where}"""

RUN_ALONE = "SELECT *, NULL AS clip_seconds, NULL AS groups FROM runs {where}"

NOTHING_FOUND = """\
SELECT concept, labels_hash FROM layers {where} AND within_control IS NOT NULL
GROUP BY ALL HAVING bool_and(within_control)"""


def run_row(answers: Answers, run_id: str) -> Row:
    """The run as the catalog knows it, without what is said of its dataset where that is damaged."""
    chosen = where(run_id=run_id)
    try:
        return answers.rows(RUN.format(where=chosen))[0]
    except CorruptData:  # a note at the head of the page says so
        return answers.rows(RUN_ALONE.format(where=chosen))[0]


def run_facts(run: Row) -> dict[str, str]:
    """Names and values for the head of the page."""
    clips = f"{run['committed']:,} of {run['clips']:,}" if not run["complete"] else f"{run['clips']:,}"
    return {
        "Run": run["run_id"],
        "Model": run["model"] + (" (random weights)" if run["random_weights"] else ""),
        "Dataset": run["dataset"],
        "Clips": f"{clips}, {run['clip_seconds']:g} s each" if run["clip_seconds"] else clips,
        "Groups": f"{run['groups']:,}" if run["groups"] else "–",
        "Failed": f"{run['failed']:,}",
        "Sites": ", ".join(run["sites"]),
        "Layers": f"{len(run['layers'])} ({min(run['layers'])} to {max(run['layers'])})",
        "Kept over time": ", ".join(run["reductions"]),
        "Activations": f"{readable_bytes(run['bytes'])} in {run['dtype']}",
        "Model fingerprint": (run["model_fingerprint"] or "–")[:12],
    }


def run_warnings(answers: Answers, run: Row, subjects: Sequence[Subject]) -> tuple[str, ...]:
    """What would mislead a reader who does not know it."""
    warnings = []
    if run["random_weights"]:
        warnings.append(
            "The weights of this model are random: what can be read from its layers was in the audio already."
        )
    if not run["complete"]:
        warnings.append("The extraction is not complete; only committed clips were read.")
    if run["failed"]:
        warnings.append(
            f"{counted(run['failed'], 'clip has', 'clips have')} no activations: their extraction failed."
        )
    nothing = answers.rows(NOTHING_FOUND.format(where=where(run_id=run["run_id"])))
    lost = [subject.title for subject in subjects if subject.labels in nothing]
    if lost:
        warnings.append(
            f"No layer beats its shuffled-label control for {', '.join(lost)}: nothing was found there."
        )
    return tuple(warnings)


Drawn = Mapping[str, ReportFigure]
"""By name."""


def build_page(
    store: Store,
    *,
    run: str | None = None,
    place: tuple[str, int] | None = None,
    name: str = "",
    figures: Sequence[str] = (),
) -> Page:
    """What there is to report of a store, or of one of its runs.

    Args:
        store: where the results are.
        run: the only run to report; by default every run that has results.
        place: site and layer to look at closely; by default the best layer of each concept.
        name: of the store, for the title.
        figures: of plug-ins, by name, beside those that are built in.

    Raises:
        InvalidInput, BrokenPlugin: a figure that cannot be had.
        NotFound: there is nothing to report; the message names the command to run next.
    """
    answers, drawn = open_answers(store), named_figures(figures)
    runs = _runs_with_results(answers, store, run)
    rows = [run_row(answers, run_id) for run_id in runs]
    return Page(
        title=f"What the layers hold: {name or store.url}",
        subtitle=f"{counted(len(runs), 'run')}; every table is the answer to the SQL below it.",
        facts=[(row["run_id"], run_facts(row)) for row in rows],
        sections=[
            section
            for row in rows
            for section in _run_sections(answers, drawn, row, ReportedRun(row["run_id"], place))
        ],
        warnings=[_sentence(note) for note in notes_of(answers.catalog)],
        found=[(row["run_id"], _found(answers, row["run_id"])) for row in rows],
        example=next(filter(None, (_example(answers, row["run_id"]) for row in rows)), None),
    )


def _found(answers: Answers, run_id: str) -> Sequence[str]:
    """What was found in a run, in sentences; nothing where a damaged file forbids it: a section says so."""
    return Withheld().attempt(lambda: list(answer_in_words(answers, run_id))) or []


def _example(answers: Answers, run_id: str) -> Example | None:
    """The sounds of a run's newest sweeps to hear first."""
    withheld = Withheld()
    sentences = withheld.attempt(partial(of_steering, answers.rows, run_id)) or {}
    sweeps = withheld.attempt(partial(sweeps_of, answers, run_id)) or []
    found = (withheld.attempt(partial(best_example, answers, sweep, sentences)) for sweep in sweeps)
    return next(filter(None, found), None)


def _runs_with_results(answers: Answers, store: Store, run: str | None) -> list[str]:
    if run is not None:
        run = store.run(run).prefix.rsplit("/", 1)[-1]
    known = [row["run_id"] for row in answers.rows("SELECT run_id FROM runs ORDER BY run_id")]
    found = _runs_fitted(answers, known)
    chosen = [run_id for run_id in found if run_id in known and run in (None, run_id)]
    if not chosen:
        raise NotFound(_nothing_yet(store, known, run))
    return chosen


def _runs_fitted(answers: Answers, known: Sequence[str]) -> Sequence[str]:
    """Runs that something was fitted on; where nobody can know, all of them: their sections say why."""
    try:
        return [row["run_id"] for row in answers.rows("SELECT DISTINCT run_id FROM layers ORDER BY run_id")]
    except CorruptData:
        return known


def _sentence(note: str) -> str:
    """A note with a capital letter, unless it begins with the name of a file."""
    return note if "/" in note.split(maxsplit=1)[0] else f"{note[0].upper()}{note[1:]}"


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


def _run_sections(answers: Answers, drawn: Drawn, row: Row, run: ReportedRun) -> Iterator[Section]:
    run_id, place = run.run_id, run.place
    name, title = anchor(run_id), f"{row['dataset']} through {row['model']}"
    withheld = Withheld()
    about = withheld.attempt(partial(subjects, answers, run_id, place)) or []
    figures = drawn_figures(drawn, answers, run, withheld)
    warnings = withheld.attempt(partial(run_warnings, answers, row, about)) or ()
    sweeps = withheld.attempt(partial(sweeps_of, answers, run_id)) or []
    counted = f"{len(about)} concept{'' if len(about) == 1 else 's'}"
    lead = f"{counted}, read from the activations of run {run_id}."
    yield Section(name, title, lead, figures, (*warnings, *withheld.reasons))
    for subject in about:
        yield _concept_section(answers, drawn, subject)
    for sweep in sweeps:
        yield _sweep_section(answers, drawn, sweep)


def _concept_section(answers: Answers, drawn: Drawn, subject: Subject) -> Section:
    withheld = Withheld()
    figures = drawn_figures(drawn, answers, subject, withheld)
    name = anchor(subject.run_id, subject.title)
    reasons = tuple(withheld.reasons)
    return Section(name, subject.title, _lead(subject), figures, reasons, level=3, folded=_undecided(subject))


def _undecided(subject: Subject) -> bool:
    """Whether a probe was fitted and found nothing that its controls lack."""
    return subject.verdict is not None and not subject.verdict.startswith("better")


def _sweep_section(answers: Answers, drawn: Drawn, sweep: Sweep) -> Section:
    withheld = Withheld()
    figures = drawn_figures(drawn, answers, sweep, withheld)
    warnings = withheld.attempt(partial(warnings_of, answers, sweep)) or ()
    asked = withheld.attempt(partial(question_of, answers, sweep))
    return Section(
        anchor(sweep.sweep_id),
        f"Steering: {sweep.title}",
        " ".join(filter(None, [asked, _chosen_by(sweep)])),
        figures,
        (*warnings, *withheld.reasons),
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
