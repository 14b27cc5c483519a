"""Products through oneDNN against NumPy in double precision, and where they are used."""

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from pipelines.acceleration.matrix_products import fast_products
from pipelines.models.musicgen import MusicGenModel

CPU = torch.device("cpu")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(3, 33, 48), (1, 1, 48), (7, 48), (0, 5, 48)])
def test_a_product_is_that_of_numpy(shape: tuple[int, ...], *, bias: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    inputs, weight = torch.randn(shape, generator=generator), torch.randn(20, 48, generator=generator)
    added = torch.randn(20, generator=generator) if bias else None
    with torch.inference_mode(), fast_products(CPU, torch.float32):
        product = functional.linear(inputs, weight, added)
    expected = inputs.double().numpy() @ weight.double().numpy().T
    if added is not None:
        expected += added.double().numpy()
    np.testing.assert_allclose(product.numpy(), expected, rtol=0, atol=2e-5)


def test_a_transposed_weight_and_a_strided_input_are_read_right() -> None:
    inputs, weight = torch.randn(6, 40, 4).transpose(1, 2), torch.randn(40, 20).T
    assert not inputs.is_contiguous()
    with torch.inference_mode(), fast_products(CPU, torch.float32):
        product = functional.linear(inputs, weight)
    expected = inputs.double().numpy() @ weight.double().numpy().T
    np.testing.assert_allclose(product.numpy(), expected, rtol=0, atol=2e-5)


def operators(model: MusicGenModel) -> set[str]:
    codes = torch.zeros(1, model.info.codebooks, 16, dtype=torch.int16)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        model.forward(codes, model.conditions.encode(""))
    return {event.key for event in seen.key_averages()}


def test_the_decoder_multiplies_all_its_matrices_so(pocket: MusicGenModel) -> None:
    assert "mkldnn::_linear_pointwise" in operators(pocket)
    assert "aten::linear" not in operators(pocket)


def test_lower_precision_and_other_devices_are_left_to_torch() -> None:
    inputs, weight = torch.randn(3, 8), torch.randn(5, 8)
    for device, dtype in ((CPU, torch.bfloat16), (torch.device("cuda"), torch.float32)):
        with profile(activities=[ProfilerActivity.CPU]) as seen, fast_products(device, dtype):
            functional.linear(inputs, weight)
        assert "aten::linear" in {event.key for event in seen.key_averages()}


@pytest.mark.parametrize("bias", [False, True])
def test_gradients_are_those_of_torch_in_double_precision(*, bias: bool) -> None:
    generator = torch.Generator().manual_seed(6)
    shapes = [(2, 9, 24), (10, 24), *([(10,)] if bias else [])]
    single = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    double = [one.detach().double().requires_grad_() for one in single]
    weights = torch.randn(2, 9, 10, generator=generator)
    with fast_products(CPU, torch.float32):
        product = functional.linear(*single)
    (product * weights).sum().backward()
    (functional.linear(*double) * weights).sum().backward()
    for mine, expected in zip(single, double, strict=True):
        assert mine.grad is not None and expected.grad is not None  # noqa: PT018
        np.testing.assert_allclose(mine.grad.numpy(), expected.grad.numpy(), rtol=0, atol=2e-5)


def test_what_needs_no_gradient_gets_none() -> None:
    inputs, weight = torch.randn(3, 8), torch.randn(5, 8, requires_grad=True)
    with fast_products(CPU, torch.float32):
        functional.linear(inputs, weight).sum().backward()
    assert inputs.grad is None
    torch.testing.assert_close(weight.grad, inputs.sum(0).expand(5, 8))
