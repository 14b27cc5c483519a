"""Versions of the methods that compute results: part of a result's id, raised by hand when numbers change."""

from typing import Literal

from analysis.probes import feature_classifier

Kind = Literal[
    "probes",
    "directions",
    "text_directions",
    "clusterings",
    "moments",
    "factors",
    "feature_classifier",
    "held_out_probe",
]

FIRST_VERSIONS: dict[Kind, str] = {
    "probes": "3dd20a70d6a8f82a",
    "directions": "19f4fff1bae81a2c",
    "text_directions": "38a22a26971e7ba9",
    "clusterings": "8f485324998fef0e",
    "moments": "085f5cfcad35652e",
    "factors": "3fec5b1e662f4d67",
    "feature_classifier": "c731910f936e7ef7",
    "held_out_probe": "0a049a11ae844e11",
}
"""Stand for methods that are all of version 1: the hashes of source text that ids held before there were
versions. What was stored then was computed by these methods, so it keeps its id and is not computed again."""


def methods_id(kind: Kind, /, **versions: int) -> str:
    """What stands for methods in an id: the same as long as nobody raises a version.

    Args:
        kind: of results.
        versions: by method, all that decide the numbers of a result. A method that is told apart from another
            later starts at 1, and no id changes.
    """
    raised = {name: version for name, version in sorted(versions.items()) if version != 1}
    if not raised:
        return FIRST_VERSIONS[kind]
    return " ".join([kind, *(f"{name}:{version}" for name, version in raised.items())])


def classifier_id(kind: Literal["feature_classifier", "held_out_probe"]) -> str:
    """What stands in an id for the classifier of classes, on handcrafted features or on activations."""
    return methods_id(kind, classifier=feature_classifier.VERSION)
