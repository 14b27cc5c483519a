"""Python's import and export: directions as files, listening tests and their ratings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.api.runs import Run
from jobs.api.stores import Store, url_of

if TYPE_CHECKING:
    from jobs.directions.options import FileForm


@dataclass(frozen=True, slots=True)
class ListeningTest:
    """A page that asks people what they hear."""

    page: Path
    """To be opened in a browser; its folder holds the sounds."""
    settings: int
    trials: int


@dataclass(frozen=True, slots=True)
class Ratings:
    """What people said, and how it agrees with CLAP; the tables `ratings` and `listening` hold all of it."""

    files: int
    new: int
    """Files that were not imported before."""
    summary: Mapping[str, Any]


def export_directions(
    store: Store | str | Path, folder: str | Path, where: str = "true", *, form: "FileForm" = "safetensors"
) -> tuple[Path, ...]:
    """Write stored directions into a folder, a file per concept, class, method and site, with all its layers.

    Args:
        store: a store, or its folder or URL.
        folder: where to write; made where it is not there.
        where: a condition on the columns of the table `vectors`.
        form: "safetensors", with tensors direction.<layer>, or "npy" (layers, D) with a JSON beside it.

    Returns:
        The files.

    Raises:
        InvalidInput: no direction meets the condition.
        QueryRefused: the condition is wrong.
    """
    from jobs.directions.exchange import export_vectors
    from jobs.directions.options import ExportOptions

    return tuple(export_vectors(ExportOptions(url_of(store), Path(folder).expanduser(), where, form))[1])


def import_directions(
    store: Store | str | Path,
    file: str | Path,
    *,
    run: Run | str | None = None,
    site: str = "resid",
    concept: str = "imported",
    positive: str | None = None,
) -> int:
    """Add the directions of a file (.safetensors or .npy) to a store.

    Args:
        store: a store, or its folder or URL.
        file: what `export_directions` wrote comes back as it was; of other tools, the layer is the last
            number in the name of a tensor.
        run: for a file of another tool: a run of the model that the directions belong to.
        site: for a file of another tool: their site.
        concept: for a file of another tool: a name.
        positive: for a file of another tool: what they point to.

    Returns:
        How many of them the store did not have.

    Raises:
        InvalidInput: the file cannot be read, or does not say where its directions belong.
        NotFound: there is no such file.
    """
    from jobs.directions.exchange import import_vectors
    from jobs.directions.options import ImportOptions

    name = run.id if isinstance(run, Run) else run
    path = Path(file).expanduser()
    return import_vectors(ImportOptions(url_of(store), path, name, site, concept, positive))[1]


def export_listening_test(
    store: Store | str | Path,
    sweep: str,
    folder: str | Path,
    *,
    settings: int = 8,
    conditions: int = 1,
    seed: int = 0,
) -> ListeningTest:
    """Write a listening test of a sweep as a page that opens without a network.

    Args:
        store: a store, or its folder or URL.
        sweep: name of the sweep.
        folder: the folder to write: new, or empty.
        settings: at most so many settings, evenly spaced from the least transfer to the most.
        conditions: prompts and random states of each setting.
        seed: decides which prompts and random states.

    Raises:
        InvalidInput: something is in the folder already.
        NotFound: there is no such sweep, or a sound of it is gone.
    """
    from jobs.listen.exporting import export_test
    from jobs.listen.options import ListenOptions

    path = Path(folder).expanduser()
    summary = export_test(ListenOptions(url_of(store), sweep, path, settings, conditions, seed))
    return ListeningTest(Path(summary["page"]), summary["settings"], summary["trials"])


def import_ratings(store: Store | str | Path, files: Sequence[str | Path]) -> Ratings:
    """Bring the answers of listeners into a store; a file with anything wrong in it is refused, and then all.

    Args:
        store: a store, or its folder or URL.
        files: what the page of a listening test saved.

    Raises:
        InvalidInput: a file is wrong; the message says what.
        Conflict: the same listener gave other answers before.
        NotFound: the store has no listening test.
    """
    from jobs.listen.importing import import_ratings as imported

    summary = imported(url_of(store), [Path(file).expanduser() for file in files])
    rest = {name: value for name, value in summary.items() if name not in ("files", "new")}
    return Ratings(summary["files"], summary["new"], rest)
