"""Labels of rows as a concept: codes of classes, or numbers; and the rows as a matrix that can be fitted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.errors import InvalidInput, counted
from store.extensions import PROBES

Kind = Literal["class", "number"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Loss = str
"""What a probe minimises: ridge, multinomial logistic, one class against the rest, or the name of a plug-in's
probe; numbers take ridge."""
LOSSES: tuple[Loss, ...] = ("mse", *PROBES.built_in)
"""Those that are built in."""
MIN_GROUPS = 2
"""A class with fewer groups cannot be both trained and tested."""
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Concept:
    """One label per row."""

    name: str
    kind: Kind
    values: NDArray[Any]
    """(N,): int64 codes into `classes`, -1 without a label; or float64, NaN without a number."""
    classes: tuple[str, ...] = ()

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows have a label, (N,)."""
        return np.asarray(self.values >= 0 if self.kind == "class" else ~np.isnan(self.values))

    def subset(self, rows: NDArray[Any]) -> "Concept":
        """The concept on some of the rows, given by places or by a mask."""
        return replace(self, values=self.values[rows])


def concept_of(name: str, labels: ArrayLike, *, kind: Kind | None = None) -> Concept:
    """Labels (N,) as a concept: text and booleans are classes, numbers are regressed.

    Args:
        name: of the concept, for messages.
        labels: text, booleans or numbers; None and NaN are no label.
        kind: "class" or "number" where the type of the labels does not say what they are.

    Raises:
        InvalidInput: labels that are no such thing, or not finite.
    """
    given = np.asarray(labels)
    if given.ndim != 1:
        raise InvalidInput(f"{name} has the shape {given.shape}; give one label for each row, of shape (N,).")
    if kind is not None and kind not in KINDS:
        raise InvalidInput(f"{kind!r} is no kind of label; choose from {', '.join(KINDS)}.")
    if kind == "number" or (kind is None and given.dtype.kind in "iuf"):
        return Concept(name, "number", _numbers(name, given))
    absent = np.array([value is None or value != value for value in given], dtype=bool)  # noqa: PLR0124 (NaN)
    texts = np.array(["" if none else str(value) for value, none in zip(given, absent, strict=True)])
    classes, codes = np.unique(texts[~absent], return_inverse=True)
    values = np.full(len(given), -1, np.int64)
    values[~absent] = codes
    return Concept(name, "class", values, tuple(classes.tolist()))


def _numbers(name: str, given: NDArray[Any]) -> NDArray[np.float64]:
    try:
        numbers = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{name} holds labels that are no numbers ({error}); text makes classes: leave kind out."
        ) from error
    if np.isinf(numbers).any():
        raise InvalidInput(f"{name} is infinite in {counted(int(np.isinf(numbers).sum()), 'row')}.")
    return numbers


def without_rare_classes(concept: Concept, groups: NDArray[Any]) -> tuple[Concept, dict[str, int]]:
    """The concept without classes of fewer than `MIN_GROUPS` groups, and how many rows each of them has."""
    if concept.kind == "number":
        return concept, {}
    members = [concept.values == code for code in range(len(concept.classes))]
    enough = [len(np.unique(groups[rows])) >= MIN_GROUPS for rows in members]
    values = np.full(len(concept.values), -1, np.int64)
    for code, place in enumerate(np.flatnonzero(enough)):
        values[members[place]] = code
    rare = {concept.classes[i]: int(members[i].sum()) for i, keep in enumerate(enough) if not keep}
    kept = tuple(name for name, keep in zip(concept.classes, enough, strict=True) if keep)
    return replace(concept, values=values, classes=kept), rare


def rare_classes_note(name: str, rare: dict[str, int], *, rows: str) -> str:
    """A sentence about classes that were left out; `rows` says what they have too few of ("clips")."""
    shown = ", ".join(f"{label} ({count})" for label, count in list(rare.items())[:MOST_NAMED])
    more = f" and {len(rare) - MOST_NAMED} more" if len(rare) > MOST_NAMED else ""
    count, are = counted(len(rare), "class has", "classes have"), "is" if len(rare) == 1 else "are"
    return (
        f"{name}: {count} {rows} of fewer than {MIN_GROUPS} groups and {are} left out: "
        f"{shown}{more} ({rows})."
    )


def require_contrast(concept: Concept, *, rows: str, cure: str) -> None:
    """Raise `InvalidInput` where nothing is to be told apart: fewer than two classes or numbers."""
    if concept.kind == "class":
        count = len(concept.classes)
        what = f"{counted(count, 'class', 'classes')} with {rows} of {MIN_GROUPS} or more groups"
    else:
        count = len(np.unique(concept.values[concept.labelled]))
        what = counted(count, "number", "different numbers")
    if count < 2:
        raise InvalidInput(
            f"Label {concept.name!r} has {what}, and at least 2 are needed to tell them apart. {cure}"
        )


def texts_of(groups: Sequence[Any] | NDArray[Any]) -> NDArray[np.str_]:
    """Names of groups or splits as text, whatever they were given as; "" where there is none."""
    return np.array(["" if one is None else str(one) for one in np.asarray(groups).tolist()], dtype=np.str_)


def matrix_of(X: ArrayLike) -> NDArray[Any]:
    """Rows (n, D) of finite numbers; raises `InvalidInput` for anything else."""
    rows = np.asarray(X)
    if rows.ndim != 2 or rows.dtype.kind not in "fiub" or not rows.size:
        raise InvalidInput(
            f"X has the shape {rows.shape} and type {rows.dtype}; give numbers of shape (n, D), a row for "
            "each clip, such as the mean over time of its frames."
        )
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows).all(axis=1)).sum())
        raise InvalidInput(f"X holds NaN or infinite numbers in {bad} of {len(rows)} rows: leave these out.")
    return rows if rows.dtype.kind == "f" else rows.astype(np.float64)


def check_loss(loss: str) -> None:
    """Raise `InvalidInput` where there is no such loss."""
    if loss not in LOSSES and loss not in PROBES.names():
        raise InvalidInput(f"There is no loss {loss!r}; losses are {', '.join(('mse', *PROBES.names()))}.")
