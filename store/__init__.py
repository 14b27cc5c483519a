"""Undertone's store: what a notebook needs to open one and read it."""

from store.arrays.collection import Collection
from store.arrays.disagreements import Disagreement
from store.arrays.verification import repair, verify
from store.datasets import Dataset
from store.errors import MissingRows, NotFound, UndertoneError
from store.opening import Store, open_store

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
