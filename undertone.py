"""Undertone in Python: open a store, extract, probe, steer and ask, with the values and arrays of Python.

    import undertone as ut

    store = ut.open_store("music.store")
    X, y, groups = store.run("songs").table("resid.mean", 5, labels="SELECT clip_id, genre FROM clips")
    ut.probe(X, y, groups=groups)

Everything here is loaded when it is first used: the import itself takes no heavy library. Nothing prints;
long work reports where it is asked to (`progress=True`, or a function that is called with every `Progress`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.probes import ClassScore, Probe, probe
    from jobs.api.answers import Answer
    from jobs.api.runs import LabelledTable, Run
    from jobs.api.stores import Dataset, Store, open_store
    from store.errors import InvalidInput, NotFound, UndertoneError

_HOMES = {
    "analysis.probes": ("ClassScore", "Probe", "probe"),
    "jobs.api.answers": ("Answer",),
    "jobs.api.runs": ("LabelledTable", "Run"),
    "jobs.api.stores": ("Dataset", "Store", "open_store"),
    "store.errors": ("InvalidInput", "NotFound", "UndertoneError"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "ClassScore",
    "Dataset",
    "InvalidInput",
    "LabelledTable",
    "NotFound",
    "Probe",
    "Run",
    "Store",
    "UndertoneError",
    "open_store",
    "probe",
]


def __getattr__(name: str) -> Any:
    """Load a name where it lives, once."""
    if name not in _HOME_OF:
        raise AttributeError(f"undertone has no {name!r}; it has {', '.join(__all__)}.")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
