"""What a store holds already, also when it holds nothing of a kind yet."""

from store.asking import Catalog
from store.opening import Store


def has_view(store: Store, name: str) -> bool:
    """Whether the catalog has a view of that name: a kind of result that somebody has written."""
    return Catalog.of(store).has(name)
