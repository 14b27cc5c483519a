"""Tests that every model must pass: the author of one subclasses them."""

import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from jobs.api.blocks import capture
from jobs.api.models import forward, generate
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.capture import capture as capturing
from pipelines.generation.generate import GenerationRequest
from pipelines.generation.generate import generate as generated
from pipelines.models.protocol import GeneratingModel, LoadedModel, generating
from pipelines.steering.edits import Edit, Steering
from pipelines.steering.steer import steer
from store.errors import ModelError
from undertone_testing.reading import Frames, ReadingConformance, agree, distance, hooks

TEXTS = ("", "rock", "slow jazz music with piano", "rock")
OF_CLIPS = 3
ADDED = ("attn", "xattn", "mlp")


class ModelConformance(ReadingConformance):
    """Subclass it as `class TestMine(ModelConformance)`, give `name`, and run pytest; it loads on the CPU."""

    def pass_over(self, model: LoadedModel, clips: Sequence[int], spec: CaptureSpec) -> Frames:
        """One pass over the codes of some of many clips."""
        codes = self.codes(model, OF_CLIPS)[list(clips)]
        return forward_activations(model, codes, spec, [""] * len(clips))

    def melodies(self, model: LoadedModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Two melodies, (samples,) at the model's rate."""
        time = np.arange(round(self.seconds * model.info.sample_rate)) / model.info.sample_rate
        first, second = (0.3 * np.sin(2 * np.pi * pitch * time) for pitch in (261.6, 370.0))
        return np.asarray(first, np.float32), np.asarray(second, np.float32)

    def codes(self, model: LoadedModel, clips: int) -> NDArray[np.int16]:
        """Random tokens (clips, K, T)."""
        shape = (clips, model.info.codebooks, model.frames(self.seconds))
        return np.random.default_rng(1).integers(0, model.info.codebook_size, shape, dtype=np.int16)

    def test_tokens_are_as_many_as_is_said_and_of_its_codebooks(self) -> None:
        model = self.model()
        info = model.info
        codes = forward(model, self.sound(model))
        assert codes.shape == (info.codebooks, model.frames(self.seconds))
        assert codes.min() >= 0
        assert codes.max() < info.codebook_size

    def test_a_block_adds_what_its_parts_compute(self) -> None:
        model = self.model()
        parts = [site for site in ADDED if site in model.info.site_names]
        if not {"embed", "resid", "attn", "mlp"} <= set(model.info.site_names):
            pytest.skip(f"{model.info.name} has no residual stream that is a sum of what it reports")
        sites = ["embed", "resid", *parts]
        with capture(model, sites=sites, reductions="frames") as seen:
            forward(model, self.sound(model), text=TEXTS[2])
            kept = {site: seen[f"{site}.frames"] for site in sites}
        before = np.concatenate([kept["embed"], kept["resid"][:, :-1]], axis=1)
        agree(before + sum(kept[site] for site in parts), kept["resid"], 1e-5, "sum of a block")

    def test_heads_through_the_output_projection_are_the_attention(self) -> None:
        model = self.model()
        if not {"head", "attn"} <= set(model.info.site_names):
            pytest.skip(f"{model.info.name} reports no heads")
        seen = _frames(model, self.codes(model, 1), sites=("head", "attn"))
        for layer in range(model.info.layers):
            projection = model.point("head", layer).module
            assert isinstance(projection, torch.nn.Linear)
            weight = projection.weight.double()
            heads = seen["head"][:, layer].double().unflatten(-1, (model.info.site("head").heads, -1))
            parts = weight.unflatten(-1, (model.info.site("head").heads, -1))
            summed = torch.einsum("brhd,ohd->bro", heads, parts)
            bias = 0.0 if (given := projection._parameters["bias"]) is None else given.double()  # noqa: SLF001
            agree(summed + bias, seen["attn"][:, layer], 1e-6, f"layer {layer}")

    def test_the_last_residual_stream_is_what_the_model_itself_returns(self) -> None:
        model = self.model()
        codes = torch.from_numpy(self.codes(model, 2))
        ((_, conditions),) = model.conditions.groups([TEXTS[1]] * 2)
        alignment = model.alignment(codes.shape[-1])
        returned = model.forward(codes, conditions)
        first = returned.shape[1] - alignment.steps + alignment.first_step
        spec = CaptureSpec(("resid",), (model.info.layers - 1,), ("frames",))
        seen = forward_activations(model, codes, spec, [TEXTS[1]] * 2)["resid.frames"][:, 0]
        agree(seen, returned[:, first : first + alignment.rows], 1e-6, "last layer")

    def test_a_clip_alone_gives_what_it_gives_among_others(self) -> None:
        model = self.model()
        texts = TEXTS if model.info.takes_text else ("",) * len(TEXTS)
        codes = self.codes(model, len(texts))
        together = _frames(model, codes, texts=texts)
        for clip, text in enumerate(texts):
            alone = _frames(model, codes[clip : clip + 1], texts=[text])
            for site, rows in alone.items():
                agree(rows[0], together[site][clip], 2e-5, f"{site} of clip {clip}")

    def test_a_later_frame_changes_no_earlier_row(self) -> None:
        model = self.model()
        if "generate" not in model.info.abilities:
            pytest.skip(f"{model.info.name} is no decoder")
        codes = self.codes(model, 1)
        changed = codes.copy()
        first = codes.shape[-1] // 2
        changed[..., first:] = (changed[..., first:] + 1) % model.info.codebook_size
        alignment = model.alignment(codes.shape[-1])
        reads = [max(alignment.frames_of_row(row)) >= first for row in range(alignment.rows)]
        assert {True, False} == set(reads), "the clip is too short for the test"
        before, after = _frames(model, codes), _frames(model, changed)
        for site, rows in before.items():
            held = [place for place, reading in enumerate(reads) if not reading]
            agree(after[site][:, :, held], rows[:, :, held], 1e-6, site)
        moved = (after["resid"] - before["resid"]).abs().amax(dim=(0, 1, 3))
        assert bool((moved[reads.index(True) :] > 0).all())

    def test_a_click_is_heard_in_its_frame(self) -> None:
        """Of all frames beside a click in the middle of one, that one's tokens change most often."""
        model = self.model()
        if model.info.random_weights or not self.trained:
            pytest.skip("a codec that was not trained hears a click anywhere")
        length = model.frames(self.seconds)
        clicks = range(length // 4, 3 * length // 4)
        quiet = model.encode(self._with_click(model, None))
        beside = torch.zeros(2 * length, dtype=torch.long)
        for frame in clicks:
            changed = (model.encode(self._with_click(model, frame)) != quiet)[0].sum(dim=0).cpu()
            beside[length - frame : 2 * length - frame] += changed
        assert int(beside.argmax()) == length, f"{int(beside.argmax()) - length} frames beside the click"

    def _with_click(self, model: LoadedModel, frame: int | None) -> torch.Tensor:
        rate = model.info.sample_rate
        audio = torch.zeros(1, model.info.channels, round(self.seconds * rate))
        if frame is not None:
            audio[..., round((frame + 0.5) / model.info.frame_rate * rate)] = 1.0
        return audio

    def test_texts_and_melodies_make_a_difference(self) -> None:
        model = self.model()
        codes = self.codes(model, 1)
        if model.info.takes_text:
            one, other, none = (_frames(model, codes, texts=[text])["resid"] for text in (*TEXTS[1:3], ""))
            assert distance(one, other) > 1e-6, "two texts give the same activations"
            assert distance(one, none) > 1e-6, "a text gives what no text gives"
        if model.info.melody:
            try:
                with_melodies = [self._heard_with(model, melody) for melody in self.melodies(model)]
            except ModelError as error:
                pytest.skip(str(error))
            assert distance(*with_melodies) > 1e-6, "two melodies give the same activations"

    def _heard_with(self, model: LoadedModel, melody: NDArray[np.float32]) -> torch.Tensor:
        conditions = model.conditions.encode_melody("rock", melody)
        return model.forward(torch.from_numpy(self.codes(model, 1)), conditions)

    def test_capture_leaves_nothing_behind_and_holds_no_whole_activation(self) -> None:
        model = self.model()
        codes = torch.from_numpy(self.codes(model, 1))
        ((_, conditions),) = model.conditions.groups([""])
        bare = model.forward(codes, conditions)
        before = hooks(model)
        seen: list[weakref.ref[torch.Tensor]] = []
        spec = CaptureSpec(model.info.site_names, tuple(range(model.info.layers)), ("mean",))
        with capturing(model, spec):
            handle = model.point("resid", 0).hook(lambda rows: seen.append(weakref.ref(rows)))
            watched = model.forward(codes, conditions)
            handle.remove()
            assert hooks(model) > before
            assert [one() for one in seen if one() is not watched] == [None]
        assert hooks(model) == before
        assert torch.equal(watched, bare)

    def test_an_edit_moves_what_comes_after_and_one_of_strength_0_moves_nothing(self) -> None:
        model = self.model()
        if "steer" not in model.info.abilities:
            pytest.skip(f"{model.info.name} cannot be steered")
        codes = self.codes(model, 1)
        plain = _frames(model, codes, texts=[TEXTS[1]])["resid"]
        for site in model.info.sites:
            vector = np.random.default_rng(2).standard_normal(site.width)
            for alpha in (0.0, 0.5):
                edit = Edit(site.name, 0, vector, alpha, scaling="unit")
                with steer(model, Steering((edit,)), frames=codes.shape[-1]):
                    steered = _frames(model, codes, texts=[TEXTS[1]])["resid"]
                assert torch.equal(steered, plain) == (alpha == 0), f"{site.name}, strength {alpha}"

    def test_a_step_gives_the_same_logits_alone_and_in_company(self) -> None:
        model = self.model()
        if "generate" not in model.info.abilities:
            pytest.skip(f"{model.info.name} does not generate")
        maker = generating(model)
        together = _first_logits(maker, [TEXTS[1]] * 3)
        alone = _first_logits(maker, [TEXTS[1]])
        agree(together[1:2], alone, 1e-5, "logits")

    def test_a_generation_computes_what_a_pass_over_its_tokens_does(self) -> None:
        model = self.model()
        if "generate" not in model.info.abilities or max(model.info.delays) == 0:
            pytest.skip(f"{model.info.name} keeps no activations of generations")
        spec = CaptureSpec(("resid",), (model.info.layers - 1,), ("frames",))
        texts = [TEXTS[1], TEXTS[3]]
        made = generated(model, [GenerationRequest(self.seconds, text) for text in texts], capture=spec)
        codes = np.stack([one.codes for one in made])
        again = forward_activations(model, codes, spec, texts)["resid.frames"]
        for place, one in enumerate(made):
            agree(torch.from_numpy(one.activations["resid.frames"]), again[place], 1e-4, "generation")

    def test_guidance_makes_a_difference(self) -> None:
        model = self.model()
        if "generate" not in model.info.abilities or not model.info.takes_text:
            pytest.skip(f"{model.info.name} is not guided")
        maker = generating(model)
        conditional = _first_logits(maker, [TEXTS[1]])
        dropped = model.conditions.dropped(model.conditions.encode(TEXTS[1]))
        tokens = torch.full((1, model.info.codebooks, 1), maker.special_token, device=model.device)
        with torch.inference_mode(), maker.streaming(steps=2, conditions=dropped):
            unconditional = maker.next_logits(tokens, dropped, copies=1)
        assert distance(conditional, unconditional) > 1e-6

    def test_the_same_seed_gives_the_same_sound(self) -> None:
        model = self.model()
        first, again = (generate(model, "rock", seed=1, seconds=self.seconds) for _ in range(2))
        np.testing.assert_allclose(again.samples, first.samples, atol=1e-3)


def _frames(
    model: LoadedModel,
    codes: NDArray[np.int16],
    *,
    sites: Sequence[str] = ("resid",),
    texts: Sequence[str] | None = None,
) -> Frames:
    """By site, what a pass computes at all of its layers and rows, (B, L, rows, D)."""
    spec = CaptureSpec(tuple(sites), tuple(range(model.info.layers)), ("frames",))
    found = forward_activations(model, codes, spec, texts)
    return {site: found[f"{site}.frames"] for site in sites}


def _first_logits(model: GeneratingModel, texts: Sequence[str]) -> torch.Tensor:
    ((_, conditions),) = model.conditions.groups(texts)
    tokens = torch.full((len(texts), model.info.codebooks, 1), model.special_token, device=model.device)
    with torch.inference_mode(), model.streaming(steps=2, conditions=conditions):
        return model.next_logits(tokens, conditions, copies=1)
