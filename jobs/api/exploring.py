"""Python's `explore`: the page in which a store is seen, heard and steered."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.api.stores import Store, url_of
from jobs.api.values import roots_texts
from jobs.explore.options import ExploreOptions

if TYPE_CHECKING:
    from jobs.explore.serving import Explorer


def explore(
    store: Store | str | Path,
    *,
    write: bool = False,
    port: int = 0,
    edit: str | Path | None = None,
    roots: Mapping[str, str | Path] | None = None,
) -> "Explorer":
    """Serve the explorer to this machine; `.url` is where, and leaving the block ends it.

    Args:
        store: a store, or its folder or URL.
        write: let the page save selections and maps in the store.
        port: on this machine; 0 takes one that is free.
        edit: copy the notebook to this file, unless it is there, and open it to be changed.
        roots: where the audio of a dataset is, by its name, if not where it was.

    Raises:
        NotFound: there is no store.
        InvalidInput: what it needs is not installed, or a value is not legal.
        JobFailed: the server did not start.

    Examples:
        >>> with explore(store) as page:  # doctest: +SKIP
        ...     print(page.url)
        http://127.0.0.1:43817/?access_token=…
    """
    from jobs.explore.serving import start_explorer

    notebook = None if edit is None else Path(edit).expanduser()
    return start_explorer(ExploreOptions(url_of(store), write, port, notebook, roots_texts(roots)))
