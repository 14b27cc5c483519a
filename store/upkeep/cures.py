"""Cures of damaged files, in words: `undertone repair` and the command that made the file."""

import re
from shlex import quote

from store.arrays.disagreements import Disagreement

_RESULT_COMMANDS = {
    "recordings": "dataset add",
    "probes": "probe",
    "confusions": "probe",
    "labels": "probe (or kmeans, directions)",
    "clusterings": "kmeans",
    "assignments": "kmeans",
    "vectors": "directions",
    "neighbour_cells": "similar",
    "layer_similarities": "compare",
    "probe_transfers": "compare",
    "clip_maps": "map",
    "selections": "explore",
    "generations": "sweep (or generate)",
    "embeddings": "evaluate (or sweep)",
    "evaluations": "evaluate (or sweep)",
    "similarities": "sweep",
    "sweep_generations": "sweep",
    "strengths": "sweep",
    "effects": "sweep",
    "cross_effects": "sweep",
    "scorer_accuracy": "sweep",
    "listening_sounds": "listen export",
    "ratings": "listen import",
}
_RESULT = re.compile(r"(?:records/)?results/([^/]+)/.*")
_DATASET = re.compile(r"(?:records/)?datasets/([^/]+)/.*")
_COLLECTION = re.compile(r"(?:records/)?(runs|codes|features)/([^/]+)/(.*)")
_AFTER_REPAIR = {
    "audio": "; then the same undertone sweep (or generate) again",
    "tags": "; then undertone run tag again",
    "moments": "; what is lost is computed again when it is needed",
    "state": "; what is lost is computed again when it is needed",
}
_MAKERS = {"runs": "extract", "codes": "extract", "features": "probe"}


def cure_of(entry: Disagreement, url: str) -> str:
    """One phrase: what to run, and what makes the file again."""
    repair = f"undertone repair {quote(url)}"
    if entry.problem == "note":
        return "nothing need be done"
    if entry.problem == "unreadable":
        return f"mend the disk or its permissions, or delete {entry.key}; then {repair}"
    if match := _RESULT.fullmatch(entry.key):
        made_by = f"undertone {_RESULT_COMMANDS[match[1]]}" if match[1] in _RESULT_COMMANDS else "command"
        return f"{repair}; then the same {made_by} again"
    if match := _DATASET.fullmatch(entry.key):
        again = f"undertone dataset add (or synth) {quote(url)} {match[1]} … again"
        return again if entry.problem == "reference" else f"{repair}; then {again}"
    if match := _COLLECTION.fullmatch(entry.key):
        return _cure_of_collection(entry, match, repair)
    return repair + _AFTER_REPAIR.get(entry.key.removeprefix("records/").split("/")[0], "")


def _cure_of_collection(entry: Disagreement, match: re.Match[str], repair: str) -> str:
    kind, name, rest = match.groups()
    command = f"the same undertone {_MAKERS[kind]} again"
    if entry.problem == "reference":
        return command
    is_frame = (rest.endswith(".json") and "/" not in rest) or rest.startswith("plan")
    if is_frame and not entry.key.startswith("records/") and entry.problem != "unrecorded":
        return f"restore it from a copy, or remove {kind}/{name} and records/{kind}/{name}; then {command}"
    return f"{repair}; then {command}"
