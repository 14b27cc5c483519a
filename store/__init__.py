"""Undertone's store: what a notebook needs to open one and read it."""

from store.collection import Collection
from store.datasets import Dataset
from store.errors import MissingRows, NotFound, UndertoneError
from store.opening import Store, open_store
from store.verification import Disagreement, repair, verify

__all__ = [
    "Collection",
    "Dataset",
    "Disagreement",
    "MissingRows",
    "NotFound",
    "Store",
    "UndertoneError",
    "open_store",
    "repair",
    "verify",
]
