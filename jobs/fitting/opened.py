"""A cache of opened runs and other collections, so that all tasks of a process read plan and markers once.

A collection is asked for together with its `committed_digest`: one that has grown since is opened anew.
"""

from functools import lru_cache

from store.arrays.collection import Collection, open_collection
from store.opening import open_store


@lru_cache(maxsize=4)
def opened(store_url: str, prefix: str, committed: str) -> Collection:  # noqa: ARG001 (part of the key)
    """The collection below a prefix, as it stands now."""
    return open_collection(open_store(store_url).objects, prefix)


@lru_cache(maxsize=4)
def opened_run(store_url: str, run_id: str, committed: str) -> Collection:  # noqa: ARG001 (part of the key)
    """A run, as it stands now."""
    return open_store(store_url).run(run_id)
