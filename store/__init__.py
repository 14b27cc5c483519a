"""Undertone's store: what a notebook needs to open one and read it."""

from store.catalog import refresh_catalog
from store.collection import Collection
from store.datasets import Dataset
from store.errors import MissingRows, NotFound, UndertoneError
from store.opening import Store, open_store
from store.query import run_query
from store.verification import repair, verify

__all__ = [
    "Collection",
    "Dataset",
    "MissingRows",
    "NotFound",
    "Store",
    "UndertoneError",
    "open_store",
    "refresh_catalog",
    "repair",
    "run_query",
    "verify",
]
