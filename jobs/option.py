"""Annotation of a dataclass field that makes it an option of a command: flag, help text and legal range.

    folds: Annotated[int, Option("Parts that are held out in turn.", least=2)] = 5

`jobs.cli.derived` makes command-line options of such fields: the type of the field says what is read (a
Literal is a choice), its default is the option's (none: it must be given; (): it may be given several times).
"""

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from math import inf, isfinite
from typing import Any, Literal, get_args, get_origin

from store.errors import InvalidInput
from store.extensions import ExtensionPoint


@dataclass(frozen=True, slots=True)
class Option:
    """What the command line says of a field beside its name, type and default."""

    help: str
    """Explains it to a user: the text behind it in `--help`."""
    flag: str = ""
    """What it is called, where that is not the name of the field; "--on/--off" where both can be said."""
    short: str = ""
    """The same in one letter, such as -o."""
    metavar: str | None = None
    """Stands for the value in the help text."""
    least: float | None = None
    """The smallest number that is legal."""
    most: float | None = None
    """The largest, where there is a smallest."""
    exclusive: bool = False
    """The smallest number itself is not legal."""
    names: ExtensionPoint | None = None
    """Where legal names come from: what is built in, and plug-ins."""
    others: tuple[str, ...] = ()
    """Words that are legal beside these names."""
    free: bool = False
    """The text may say more than a name, and whoever reads it checks it."""
    plugins: bool = False
    """Of these names only those of plug-ins need to be said."""
    path: Literal["file", "folder", "any"] = "file"
    """What a path leads to."""
    needed: bool = False
    """The command asks for it, though Python may leave it out."""
    complete: str = ""
    """What a shell completes it with: "runs" or "datasets"."""

    def allows(self, value: Any) -> bool:
        """Whether a value is in the range, where there is one; NaN and infinity are in none."""
        if self.least is None or value is None:
            return True
        if not isfinite(value) or (self.exclusive and value == self.least):
            return False
        return bool(self.least <= value <= (inf if self.most is None else self.most))

    @property
    def range_words(self) -> str:
        """The range in words."""
        if self.exclusive:
            return f"more than {self.least:g}" + ("" if self.most is None else f", to {self.most:g}")
        return f"{self.least:g} or more" if self.most is None else f"{self.least:g} to {self.most:g}"


def option_fields(kind: type[Any]) -> Iterator[tuple[Field[Any], Any, Option]]:
    """Fields that are options, each with its type, in the order in which the class takes its arguments."""
    for field in sorted(fields(kind), key=lambda field: field.kw_only is True):
        annotated, *said = get_args(field.type) or (None,)
        if said and isinstance(said[-1], Option):  # the last: a field may explain a shared type anew
            yield field, annotated, said[-1]


def flag_of(field: Field[Any], option: Option) -> str:
    """What the command line calls a field."""
    return option.flag or "--" + field.name.replace("_", "-")


def check_values(options: Any) -> None:
    """Raise `InvalidInput` for the first value of an option dataclass that is no choice or too small."""
    for field, annotated, option in option_fields(type(options)):
        value = getattr(options, field.name)
        if get_origin(annotated) is Literal and value not in get_args(annotated):
            choices = ", ".join(get_args(annotated))
            raise InvalidInput(f"{flag_of(field, option)} {value!r} is none of {choices}.")
        if not option.allows(value):
            raise InvalidInput(f"{flag_of(field, option)} is {value}; it must be {option.range_words}.")
