"""Name some clips and keep them, with a label each, for every query and fit."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.results.maps import SELECTIONS
from store.results.parts import digest_of, write_results
from store.results.table import now


def save_selection(store: Store, name: str, labels: Mapping[str, Sequence[str]]) -> int:
    """Keep clips by label under a name; the name's former clips no longer count. Returns how many clips.

    Args:
        store: where it is kept; rows of the view `selections`.
        name: of the selection.
        labels: by label, ids of clips; each clip has one label.

    Raises:
        InvalidInput: there is no name, no clip, an empty label, or a clip has two labels.
        NotFound: the store lists no such clip.
    """
    pairs = [(clip_id, label) for label, ids in labels.items() for clip_id in ids]
    ids = [clip_id for clip_id, _ in pairs]
    if not name.strip() or not ids or not all(label.strip() for label in labels):
        raise InvalidInput("A selection needs a name, at least one clip, and labels that say something.")
    if len(set(ids)) < len(ids):
        raise InvalidInput("A clip has two labels in this selection: give each clip one.")
    _require_known(store, ids)
    time = now()
    columns = {
        "selection": [name] * len(ids),
        "label": [label for _, label in pairs],
        "clip_id": ids,
        "created_at": [time] * len(ids),
    }
    decided = {"selection": name, "labels": digest_of(pairs), "at": time.isoformat()}
    write_results(store, SELECTIONS.kind, decided, SELECTIONS.of_columns(columns))
    return len(ids)


def _require_known(store: Store, ids: Sequence[str]) -> None:
    given = pa.table({"clip_id": pa.array(ids, pa.string())})
    unknown = Catalog.of(store).rows(
        "SELECT clip_id FROM given ANTI JOIN clips USING (clip_id) LIMIT 1", tables={"given": given}
    )
    if unknown:
        raise NotFound(f"No dataset of {store.url} lists a clip {unknown[0]['clip_id']!r}.")
