"""Undertone in Python: open a store, extract, probe, steer and ask, with the values and arrays of Python.

    import undertone as ut

    store = ut.open_store("music.store")
    run = store.run("songs")
    X, y, groups = run.table("resid.mean", 5, labels="SELECT clip_id, genre FROM clips")
    ut.probe(X, y, groups=groups)

Everything here is loaded when it is first used: the import itself takes no heavy library. Nothing prints;
long work reports where it is asked to (`progress=True`, or a function that is called with every `Progress`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.clustering.fitting import Clusters
    from analysis.probes.probe import ClassScore, Probe
    from jobs.api.answers import Answer, Findings
    from jobs.api.blocks import Seen, capture, steer
    from jobs.api.care import (
        Damage,
        Drawing,
        Repair,
        Report,
        Upgrade,
        Verification,
        repair,
        report,
        upgrade,
        verify,
    )
    from jobs.api.clusterings import kmeans
    from jobs.api.comparing import compare
    from jobs.api.datasets import add_dataset, synthesize_dataset
    from jobs.api.demonstration import demo
    from jobs.api.directions import Direction, Directions, directions, stored_directions, superposition
    from jobs.api.exchange import (
        ListeningTest,
        Ratings,
        export_directions,
        export_listening_test,
        import_directions,
        import_ratings,
    )
    from jobs.api.exploring import explore
    from jobs.api.extraction import Bill, bill, extract
    from jobs.api.kept_sounds import Generation, generate_into, generate_page, stored_sound
    from jobs.api.maps import ClipMap, clip_map, clip_sound, save_selection
    from jobs.api.models import Converted, convert, forward, generate, load_model
    from jobs.api.neighbours import similar
    from jobs.api.probes import probe
    from jobs.api.runs import LabelledTable, Run
    from jobs.api.scoring import Evaluation, Sweep, evaluate, shipped_sweeps, sweep
    from jobs.api.sounds import Sound
    from jobs.api.stored_datasets import Dataset
    from jobs.api.stores import Store, open_store
    from jobs.api.upkeep import DatasetDetails, Removal, Renaming, RunDetails, Status, Tagging
    from jobs.progress.reporting import Progress
    from store.errors import (
        Conflict,
        CorruptData,
        InvalidInput,
        JobFailed,
        ModelError,
        NotFound,
        QueryRefused,
        UndertoneError,
        UndertoneWarning,
    )

_HOMES = {
    "analysis.clustering.fitting": ("Clusters",),
    "analysis.probes.probe": (
        "ClassScore",
        "Probe",
    ),
    "jobs.api.answers": ("Answer", "Findings"),
    "jobs.api.blocks": (
        "Seen",
        "capture",
        "steer",
    ),
    "jobs.api.care": (
        "Damage",
        "Drawing",
        "Repair",
        "Report",
        "Upgrade",
        "Verification",
        "repair",
        "report",
        "upgrade",
        "verify",
    ),
    "jobs.api.clusterings": ("kmeans",),
    "jobs.api.datasets": (
        "add_dataset",
        "synthesize_dataset",
    ),
    "jobs.api.directions": (
        "Direction",
        "Directions",
        "directions",
        "stored_directions",
        "superposition",
    ),
    "jobs.api.exchange": (
        "ListeningTest",
        "Ratings",
        "export_directions",
        "export_listening_test",
        "import_directions",
        "import_ratings",
    ),
    "jobs.api.exploring": ("explore",),
    "jobs.api.extraction": ("Bill", "bill", "extract"),
    "jobs.api.kept_sounds": (
        "Generation",
        "generate_into",
        "generate_page",
        "stored_sound",
    ),
    "jobs.api.maps": (
        "ClipMap",
        "clip_map",
        "clip_sound",
        "save_selection",
    ),
    "jobs.api.models": (
        "Converted",
        "convert",
        "forward",
        "generate",
        "load_model",
    ),
    "jobs.api.comparing": ("compare",),
    "jobs.api.neighbours": ("similar",),
    "jobs.api.probes": ("probe",),
    "jobs.api.runs": (
        "LabelledTable",
        "Run",
    ),
    "jobs.api.scoring": (
        "Evaluation",
        "Sweep",
        "evaluate",
        "shipped_sweeps",
        "sweep",
    ),
    "jobs.api.sounds": ("Sound",),
    "jobs.api.stored_datasets": ("Dataset",),
    "jobs.api.stores": (
        "Store",
        "open_store",
    ),
    "jobs.api.upkeep": (
        "DatasetDetails",
        "Removal",
        "Renaming",
        "RunDetails",
        "Status",
        "Tagging",
    ),
    "jobs.api.demonstration": ("demo",),
    "jobs.progress.reporting": ("Progress",),
    "store.errors": (
        "Conflict",
        "CorruptData",
        "InvalidInput",
        "JobFailed",
        "ModelError",
        "NotFound",
        "QueryRefused",
        "UndertoneError",
        "UndertoneWarning",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "Bill",
    "ClassScore",
    "ClipMap",
    "Clusters",
    "Conflict",
    "Converted",
    "CorruptData",
    "Damage",
    "Dataset",
    "DatasetDetails",
    "Direction",
    "Directions",
    "Drawing",
    "Evaluation",
    "Findings",
    "Generation",
    "InvalidInput",
    "JobFailed",
    "LabelledTable",
    "ListeningTest",
    "ModelError",
    "NotFound",
    "Probe",
    "Progress",
    "QueryRefused",
    "Ratings",
    "Removal",
    "Renaming",
    "Repair",
    "Report",
    "Run",
    "RunDetails",
    "Seen",
    "Sound",
    "Status",
    "Store",
    "Sweep",
    "Tagging",
    "UndertoneError",
    "UndertoneWarning",
    "Upgrade",
    "Verification",
    "add_dataset",
    "bill",
    "capture",
    "clip_map",
    "clip_sound",
    "compare",
    "convert",
    "demo",
    "directions",
    "evaluate",
    "explore",
    "export_directions",
    "export_listening_test",
    "extract",
    "forward",
    "generate",
    "generate_into",
    "generate_page",
    "import_directions",
    "import_ratings",
    "kmeans",
    "load_model",
    "open_store",
    "probe",
    "repair",
    "report",
    "save_selection",
    "shipped_sweeps",
    "similar",
    "steer",
    "stored_directions",
    "stored_sound",
    "superposition",
    "sweep",
    "synthesize_dataset",
    "upgrade",
    "verify",
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
