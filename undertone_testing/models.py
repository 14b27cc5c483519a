"""Tests that every model must pass: the author of one subclasses them."""

import numpy as np
from numpy.typing import NDArray

from jobs.api.blocks import capture
from jobs.api.models import forward, generate, load_model
from pipelines.models.protocol import LoadedModel
from store.extensions import MODELS


class ModelConformance:
    """Subclass it as `class TestMine(ModelConformance)`, give `name`, and run pytest; it loads on the CPU."""

    name: str
    """Of the entry point in the group undertone.models."""
    seconds = 1.0
    """Length of the sound that the model hears."""

    def model(self) -> LoadedModel:
        """The model, in float32."""
        return load_model(self.name, device="cpu")

    def sound(self, model: LoadedModel) -> NDArray[np.float32]:
        """A second of a chord and noise, (samples,) at the model's rate."""
        time = np.arange(round(self.seconds * model.info.sample_rate)) / model.info.sample_rate
        chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6))
        noise = np.random.default_rng(0).standard_normal(len(time))
        return np.asarray(0.1 * chord + 0.02 * noise, np.float32)

    def test_it_is_among_the_models_and_keeps_its_name(self) -> None:
        assert self.name in MODELS.names(), f"{self.name} is not installed: {MODELS.names()}"
        assert self.model().info.name == self.name

    def test_sizes_and_rates_are_those_of_what_it_computes(self) -> None:
        model = self.model()
        info = model.info
        assert {site.layers for site in info.sites} <= {1, info.layers}
        codes = forward(model, self.sound(model))
        assert codes.shape == (info.codebooks, model.frames(self.seconds))
        assert codes.min() >= 0
        assert codes.max() < info.codebook_size

    def test_the_same_sound_gives_the_same_tokens_and_activations(self) -> None:
        model = self.model()
        with capture(model, sites=["resid"], layers=[0]) as seen:
            first = forward(model, self.sound(model)), seen["resid.mean"].copy()
            again = forward(model, self.sound(model)), seen["resid.mean"].copy()
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_allclose(again[1], first[1], rtol=1e-4, atol=1e-5)

    def test_a_block_adds_what_its_parts_compute(self) -> None:
        model = self.model()
        sites = [site for site in ("resid", "attn", "xattn", "mlp") if site in model.info.site_names]
        with capture(model, sites=sites, layers=[0, 1]) as seen:
            forward(model, self.sound(model))
            kept = {site: seen[f"{site}.mean"] for site in sites}
        added = kept["resid"][:, 0] + sum(kept[site][:, 1] for site in sites[1:])
        np.testing.assert_allclose(added, kept["resid"][:, 1], rtol=1e-3, atol=1e-3)

    def test_the_same_seed_gives_the_same_sound(self) -> None:
        model = self.model()
        first, again = (generate(model, "rock", seed=1, seconds=self.seconds) for _ in range(2))
        np.testing.assert_allclose(again.samples, first.samples, atol=1e-3)
