"""A checkpoint with weights that are not finite is refused as far as passes would meet them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models.musicgen import load_musicgen
from store.errors import ModelError

WriteCheckpoint = Callable[..., Path]


def spoiled(folder: Path, tensor: str, value: float, *, file: str = "state_dict.bin") -> str:
    """The checkpoint with one value of one tensor replaced."""
    package = torch.load(folder / file, weights_only=True)
    package["best_state"][tensor].reshape(-1)[3] = value
    torch.save(package, folder / file)
    return str(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_layers_before_a_broken_block_can_be_captured_and_those_behind_are_refused(
    write_checkpoint: WriteCheckpoint, tmp_path: Path, random_codes: Callable[..., object], value: float
) -> None:
    name = spoiled(write_checkpoint(tmp_path / "model"), "transformer.layers.1.linear1.weight", value)
    with pytest.raises(ModelError, match=r"transformer.layers.1.linear1.weight \(1 of .*--layers 0"):
        load_musicgen(name, last_block=1)
    with pytest.raises(ModelError, match="Layer 0 comes before"):
        load_musicgen(name)
    model = load_musicgen(name, last_block=0)
    arrays = forward_activations(model, random_codes(2, 20), CaptureSpec(("resid",), (0,)))  # type: ignore[arg-type]
    assert torch.isfinite(arrays["resid.mean"]).all()


def test_what_enters_the_first_block_spoils_every_layer(
    write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    name = spoiled(write_checkpoint(tmp_path / "model"), "emb.2.weight", float("nan"))
    with pytest.raises(ModelError, match=r"emb.2.weight .* No layer can be used"):
        load_musicgen(name, last_block=0)


def test_broken_output_heads_do_not_touch_any_layer(
    write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    name = spoiled(write_checkpoint(tmp_path / "model"), "linears.0.weight", float("nan"))
    load_musicgen(name, last_block=1)
    with pytest.raises(ModelError, match=r"linears.0.weight .*Layers 0 to 1 come before"):
        load_musicgen(name)


@pytest.mark.parametrize(
    "tensor", ["encoder.model.0.conv.conv.bias", "quantizer.vq.layers.1._codebook.embed"]
)
def test_a_broken_codec_spoils_everything(
    write_checkpoint: WriteCheckpoint, tmp_path: Path, tensor: str
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    package = torch.load(folder / "compression_state_dict.bin", weights_only=True)
    if tensor not in package["best_state"]:  # weight-normalised layers are stored as two factors
        pytest.fail(f"{tensor} is not in the checkpoint: {sorted(package['best_state'])[:20]}")
    name = spoiled(folder, tensor, float("nan"), file="compression_state_dict.bin")
    with pytest.raises(ModelError, match=f"the codec.s {tensor.replace('.', '[.]')}"):
        load_musicgen(name, last_block=0)
