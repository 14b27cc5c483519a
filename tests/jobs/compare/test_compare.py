"""`undertone compare` on a store with planted activations, beside CKA of the whole arrays."""

import json

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import undertone as ut
from jobs.cli.main import undertone
from jobs.compare import running
from jobs.compare.matrix import matrices
from store.errors import InvalidInput, NotFound
from store.opening import Store

Floats = NDArray[np.float64]


def _layer(store: Store, array: str, layer: int) -> Floats:
    return store.run("toy").read_layer(array, layer)[0].astype(np.float64)


def _debiased(x: Floats, y: Floats) -> float:
    """By U-centred Gram matrices (Székely & Rizzo 2014), another form of the same estimate."""

    def centred(rows: Floats) -> Floats:
        gram: Floats = rows @ rows.T
        np.fill_diagonal(gram, 0)
        n = len(gram)
        means = gram.sum(axis=1) / (n - 2)
        gram = gram - means[:, None] - means[None, :] + gram.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(gram, 0)
        return gram

    a, b = centred(x - x.mean(axis=0)), centred(y - y.mean(axis=0))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def test_every_pair_of_layers_has_its_cka_by_blocks_and_is_kept(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "BLOCK_CLIPS", 17)
    store = ut.open_store(planted_store.url)
    found = ut.compare(store.run("toy")).rows()
    pairs = [(row["layer"], row["other_layer"]) for row in found]
    assert pairs == [(one, other) for one in range(3) for other in range(3)]
    layers = [_layer(planted_store, "resid.mean", layer) for layer in range(3)]
    for row in found:
        expected = _debiased(layers[row["layer"]], layers[row["other_layer"]])
        assert row["cka"] == pytest.approx(expected, abs=1e-6)
        assert row["cka_low"] <= row["cka"] + 1e-9
        assert row["cka"] <= row["cka_high"] + 1e-9
        assert (row["clips"], row["parts"]) == (120, 20)
    monkeypatch.setattr(running, "moments_of_parts", None)
    assert ut.compare(store.run("toy")).rows() == found
    assert store.sql("SELECT count(*) AS n FROM layer_similarities").rows() == [{"n": 9}]


def test_other_arrays_are_compared_on_the_command_line(planted_store: Store) -> None:
    options = ["toy", "--other-array", "attn.mean", "--layers", "2", "--format", "json"]
    said = CliRunner().invoke(undertone, ["compare", planted_store.url, "toy", *options])
    assert said.exit_code == 0, said.output
    (row,) = json.loads(said.stdout)
    expected = _debiased(_layer(planted_store, "resid.mean", 2), _layer(planted_store, "attn.mean", 2))
    assert row["cka"] == pytest.approx(expected, abs=1e-6)
    assert (row["array"], row["other_array"]) == ("resid.mean", "attn.mean")


def test_what_cannot_be_compared_is_refused(planted_store: Store) -> None:
    toy = ut.open_store(planted_store.url).run("toy")
    with pytest.raises(InvalidInput, match="vectors per clip"):
        ut.compare(toy, array="resid.frames")
    with pytest.raises(NotFound, match=r"no array 'mlp\.mean'; it holds attn\.frames"):
        ut.compare(toy, array="mlp.mean")
    with pytest.raises(NotFound, match="Layers '7' are not in both runs"):
        ut.compare(toy, layers="7")


LABELS = "SELECT clip_id, style FROM clips"


def test_probes_are_applied_between_layers_and_kept(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the diagonal the weights as they are give the layer's own score, as `undertone.probe` does."""
    store = ut.open_store(planted_store.url)
    run = store.run("toy")
    found = ut.compare(run, labels=LABELS, layers="1-2", controls=2).rows()
    assert {(row["layer"], row["other_layer"], row["through"]) for row in found} == {
        (one, other, through) for one in (1, 2) for other in (1, 2) for through in ("direct", "map")
    }
    own = {}
    for layer in (1, 2):
        rows, labels, groups = run.table("resid.mean", layer, labels=LABELS)
        own[layer] = ut.probe(rows, labels, groups=groups, controls=2)
    for row in found:
        there, here = own[row["other_layer"]], own[row["layer"]]
        assert (row["own_score"], row["source_score"]) == pytest.approx((there.score, here.score))
        assert (row["own_low"], row["own_high"]) == pytest.approx(there.interval)
        if row["layer"] == row["other_layer"] and row["through"] == "direct":
            assert row["score"] == pytest.approx(there.score)
            assert row["control"] == pytest.approx(there.control and there.control.score)
            assert row["verdict"] == there.verdict
        assert row["metric"] == "accuracy"
        assert row["score_low"] <= row["score"] <= row["score_high"]
    monkeypatch.setattr("jobs.compare.transfers.fit_layer", None)
    assert ut.compare(run, labels=LABELS, layers="1-2", controls=2).rows() == found
    assert store.sql("SELECT count(*) AS n FROM probe_transfers").rows() == [{"n": 8}]


def test_the_command_draws_a_heat_map_of_either_kind(planted_store: Store) -> None:
    for more, title in (
        ([], "cka: layers of resid.mean downwards, of attn.mean to the right"),
        (["--labels", LABELS], "style (through a map): layers of resid.mean downwards"),
    ):
        options = ["toy", "--other-array", "attn.mean", "--layers", "2", *more]
        said = CliRunner().invoke(undertone, ["compare", planted_store.url, "toy", *options])
        assert said.exit_code == 0, said.output
        lines = said.stdout.splitlines()
        (number,) = [place for place, line in enumerate(lines) if line.startswith(title)]
        assert lines[number + 1].split() == ["2"]
        assert lines[number + 2].startswith("2 ")


def test_many_layers_are_drawn_as_shades_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = [
        {"array": "a.mean", "other_array": "b.mean", "layer": one, "other_layer": other, "cka": value}
        for one in range(2)
        for other, value in enumerate(np.linspace(0, 1, 30))
    ]
    drawn = matrices(pa.Table.from_pylist(rows), "cka").splitlines()
    assert drawn[1:3] == ["  0 to 29", "0 " + " " * 6 + "░" * 6 + "▒" * 6 + "▓" * 6 + "█" * 6]


def test_labels_of_clips_of_another_run_are_refused(planted_store: Store) -> None:
    toy = ut.open_store(planted_store.url).run("toy")
    with pytest.raises(InvalidInput, match="vectors per clip"):
        ut.compare(toy, array="resid.frames", labels=LABELS)
    with pytest.raises(InvalidInput, match="folds"):
        ut.compare(toy, labels=LABELS, folds=500)
