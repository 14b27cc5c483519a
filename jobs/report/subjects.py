"""Select what a report shows: concepts of a run, and the layer at which each is shown in detail."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.report.answers import Answers, where
from store.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Place:
    """One layer of one array of a run."""

    site: str
    reduction: str
    layer: int

    def __str__(self) -> str:
        return (
            f"{self.site} {self.layer}"
            if self.reduction == "mean"
            else f"{self.site} {self.layer} ({self.reduction})"
        )


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A run, and the place that was asked for instead of the best layer of each concept."""

    run_id: str
    place: tuple[str, int] | None = None
    """Site and layer."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One concept of a run, at its chosen layer."""

    run_id: str
    concept: str
    labels_hash: str
    title: str
    place: Place
    loss: str | None
    metric: str | None
    score: float | None
    verdict: str | None
    """Of the probe: what its score beats."""
    probe_id: str | None
    best: "Subject | None" = None
    """The same concept at its best layer, where `place` was asked for."""

    @property
    def labels(self) -> dict[str, str]:
        """Columns that tell this concept from the others of its run."""
        return {"concept": self.concept, "labels_hash": self.labels_hash}


BEST = """\
SELECT {columns}
FROM layers {where}
QUALIFY 1 = row_number() OVER (
    PARTITION BY concept, labels_hash
    ORDER BY score DESC NULLS LAST, ari DESC NULLS LAST, separability DESC NULLS LAST, layer, site, reduction
)
ORDER BY metric, score DESC, concept"""


KNOWN_LAYERS = (
    "SELECT site, min(layer) AS first, max(layer) AS last FROM layers {where} GROUP BY 1 ORDER BY 1"
)


def best_layers(columns: str, run_id: str, place: tuple[str, int] | None = None) -> str:
    """SQL for these columns of the best layer of every concept of a run, or of a given site and layer."""
    given: dict[str, str | int] = {} if place is None else {"site": place[0], "layer": place[1]}
    return BEST.format(columns=columns, where=where(run_id=run_id, **given))


def subjects(answers: Answers, run_id: str, place: tuple[str, int] | None = None) -> list[Subject]:
    """The concepts of a run, classes first, the best known first."""
    best = _subjects(answers, run_id, None)
    if place is None:
        return best
    known = {tuple(subject.labels.values()): subject for subject in best}
    asked = _subjects(answers, run_id, place)
    if not asked:
        raise NotFound(_unknown_place(answers, run_id, place))
    return [replace(subject, best=known[tuple(subject.labels.values())]) for subject in asked]


def _subjects(answers: Answers, run_id: str, place: tuple[str, int] | None) -> list[Subject]:
    columns = "concept, labels_hash, site, reduction, layer, loss, metric, score, verdict, probe_id"
    rows = answers.rows(best_layers(columns, run_id, place))
    names = [row["concept"] for row in rows]
    return [
        Subject(
            run_id,
            row["concept"],
            row["labels_hash"],
            _title(row["concept"], row["labels_hash"], names),
            Place(row["site"], row["reduction"], row["layer"]),
            row["loss"],
            row["metric"],
            row["score"],
            row["verdict"],
            row["probe_id"],
        )
        for row in rows
    ]


def parse_place(text: str) -> tuple[str, int]:
    """Site and layer from a text like "resid:5"."""
    site, _, layer = text.partition(":")
    if not site or not layer.isdecimal():
        raise InvalidInput(f'"{text}" is not of the form SITE:LAYER, for example resid:5')
    return site, int(layer)


def _title(concept: str, labels_hash: str, names: Sequence[str]) -> str:
    """The concept, and which labels where several label queries call theirs alike."""
    return concept if names.count(concept) == 1 else f"{concept} (labels {labels_hash[:6]})"


def _unknown_place(answers: Answers, run_id: str, place: tuple[str, int]) -> str:
    known = answers.rows(KNOWN_LAYERS.format(where=where(run_id=run_id)))
    sites = ", ".join(f"{row['site']} (layers {row['first']}–{row['last']})" for row in known)
    return f"Nothing was fitted at {place[0]}:{place[1]} of run {run_id!r}; there is {sites}."
