"""Options of fitting directions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.fitting.mapping import Engine
    from jobs.fitting.user_tables import GivenTables


@dataclass(frozen=True, slots=True)
class DirectionOptions:
    """Arguments of `undertone directions`, as given."""

    store: str
    run: str
    labels: str
    """Query that gives clip_id and labels."""
    tables: "GivenTables" = ()
    """Tables of the user that the query may read."""
    methods: str = "all"
    pairs: tuple[str, ...] = ()
    sites: str = "all"
    layers: str = "all"
    folds: int = 5
    seed: int = 0
    engine: "Engine" = "auto"
    address: str = "local"
    workers: int | None = None
