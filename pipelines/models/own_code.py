"""Models that bring code which a user asks to run: a file of the user's own, or a folder of the hub."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pipelines.models.protocol import PassLeft
from pipelines.models.torch_module import TorchModel
from store.errors import InvalidInput, ModelError, NotFound, UndertoneError, is_the_machines
from store.extensions import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_IN_FILE = "MODEL"
"""Of the `TorchModel` in a user's file."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of Python that gives a model; it is run wherever the model is described or loaded."""

    path: Path


@dataclass(frozen=True, slots=True)
class TrustedModel:
    """A model by name, with the code that comes with its weights."""

    name: str


NamedModel = str | ModelFile | TrustedModel
"""A name alone never runs code that comes with weights or lies in a file."""


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A torch module that somebody describes in code."""

    name: str
    file: Path
    """With the description."""
    sha256: str
    """Of the file."""
    given: TorchModel | None = field(default=None, compare=False)
    """By a plug-in, which was imported; None where the file is to be run."""

    def described(self) -> TorchModel:
        """The description, for which a user's file is run.

        Raises:
            ModelError: it raises something, or describes nothing.
        """
        return self.given or _run(self)


def own_module(name: NamedModel) -> OwnModule | None:
    """The torch module that is meant by a file or by the name of a plug-in's; None for all other models.

    Raises:
        NotFound: there is no such file on this machine.
    """
    if isinstance(name, ModelFile):
        return OwnModule(name.path.stem, name.path, sha256(_content(name.path)).hexdigest())
    if isinstance(name, TrustedModel) or name in MODELS.built_in or name not in MODELS.names():
        return None
    given = MODELS.load(name, object)
    if not isinstance(given, TorchModel):
        return None
    file = Path(getattr(sys.modules.get(given.load.__module__), "__file__", None) or "")
    if not file.is_file():
        raise ModelError(f"The model {name!r} is made by {given.load!r}, which lies in no file of Python.")
    return OwnModule(name, file, sha256(_content(file)).hexdigest(), given)


def with_own_code(name: str, file: Path | None, *, trust_remote_code: bool) -> NamedModel:
    """What a user's options mean together.

    Raises:
        InvalidInput: a file and a name, or code that a file of one's own cannot have.
    """
    if file is None:
        return TrustedModel(name) if trust_remote_code else name
    if trust_remote_code:
        raise InvalidInput("--model-file names code of your own: leave out --trust-remote-code.")
    return ModelFile(file.expanduser().absolute())


@contextmanager
def users_code(file: Path) -> Iterator[None]:
    """Inside the block a user's code runs: what it raises is told in a sentence, with its line.

    Raises:
        ModelError: it raised something.
    """
    try:
        yield
    except (UndertoneError, PassLeft):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, Exception) and is_the_machines(error):
            raise
        said = (str(error).strip().splitlines() or ["no message"])[0][:300]
        where = f"line {line}" if (line := _line(file, error)) else "in what it calls"
        raise ModelError(f"{file}, {where}: {type(error).__name__}: {said}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no file {path} on this machine. Where several work, the model's file has to lie at "
            "the same path on all of them."
        ) from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _run(own: OwnModule) -> TorchModel:
    source = _content(own.file)
    if (found := sha256(source).hexdigest()) != own.sha256:
        raise ModelError(
            f"{own.file} was changed meanwhile ({found[:12]} instead of {own.sha256[:12]}): try again."
        )
    module = ModuleType(f"undertone_model_file_{own.sha256[:12]}")
    module.__file__ = str(own.file)
    sys.modules[module.__name__] = module  # dataclasses and pickles of the file look there
    with users_code(own.file):
        exec(compile(source, str(own.file), "exec"), module.__dict__)  # noqa: S102 — what the user asks for
    model = module.__dict__.get(NAME_IN_FILE)
    if not isinstance(model, TorchModel):
        what = "no" if model is None else f"a {type(model).__name__} as its"
        raise ModelError(
            f"{own.file} has {what} {NAME_IN_FILE}. It describes its model by {NAME_IN_FILE} = TorchModel(…) "
            "of pipelines.models.torch_module."
        )
    return model


def _line(file: Path, error: BaseException) -> int | None:
    """The last line of the file that an error passed, or that cannot be read."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def code_of(folder: Path) -> tuple[tuple[str, str], ...]:
    """Files of Python in a folder, by name, with their SHA-256."""
    return tuple(
        (file.relative_to(folder).as_posix(), sha256(_content(file)).hexdigest())
        for file in sorted(folder.rglob("*.py"))
    )
