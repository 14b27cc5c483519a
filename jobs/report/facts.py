"""Facts at the head of a run's section: model, data, what was stored, warnings."""

from collections.abc import Sequence

from jobs.report.answers import Answers, Row, where
from jobs.report.subjects import Subject
from jobs.terminal.results import readable_bytes
from store.errors import CorruptData

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
            f"{run['failed']:,} clips have no activations, because they failed in the extraction."
        )
    nothing = answers.rows(NOTHING_FOUND.format(where=where(run_id=run["run_id"])))
    lost = [subject.title for subject in subjects if subject.labels in nothing]
    if lost:
        warnings.append(
            f"No layer beats its shuffled-label control for {', '.join(lost)}: nothing was found there."
        )
    return tuple(warnings)
