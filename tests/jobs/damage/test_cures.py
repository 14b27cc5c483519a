"""The cure of a lost file of results names the command that writes results of its kind."""

import re

import click
import pytest

from jobs.cli.main import undertone
from store.arrays.disagreements import Disagreement
from store.results.schemas import TABLES
from store.upkeep.cures import cure_of

MAKERS = {
    "dataset add": "recordings",
    "probe": "probes confusions labels",
    "kmeans": "clusterings assignments labels",
    "directions": "vectors labels",
    "compare": "layer_similarities probe_transfers",
    "similar": "neighbour_cells",
    "map": "clip_maps",
    "explore": "selections",
    "generate": "generations",
    "evaluate": "embeddings evaluations",
    "sweep": "generations embeddings evaluations similarities sweep_generations strengths effects "
    "cross_effects scorer_accuracy",
    "listen export": "listening_sounds",
    "listen import": "ratings",
}
"""Commands and the kinds of results that they write."""


def _is_a_command(words: str) -> bool:
    command: click.Command | None = undertone
    for word in words.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    return command is not None


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("folder", ["", "records/"])
def test_lost_results_are_made_again_by_the_commands_that_write_their_kind(kind: str, folder: str) -> None:
    cure = cure_of(Disagreement("missing", f"{folder}results/{kind}/0.parquet", None, "gone"), "a.store")
    match = re.fullmatch(
        r"undertone repair a\.store; then the same undertone ([a-z ]+?)(?: \(or ([a-z, ]+)\))? again", cure
    )
    assert match, cure
    named = {match[1], *(match[2].split(", ") if match[2] else ())}
    assert named == {maker for maker, kinds in MAKERS.items() if kind in kinds.split()}
    assert all(map(_is_a_command, named))


def test_lost_results_of_a_plug_in_are_told_without_a_command_that_never_made_them() -> None:
    cure = cure_of(Disagreement("missing", "results/measured/0.parquet", None, "gone"), "a.store")
    assert cure == "undertone repair a.store; then the same command again"
