"""Tests that every audio encoder must pass, a torch module of one's own, too: its author subclasses them."""

import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from pipelines.capture import CaptureSpec, heard_activations
from pipelines.capture import capture as capturing
from pipelines.models.protocol import AudioEncoder, LoadedModel, as_encoder
from undertone_testing.reading import Audio, Frames, ReadingConformance, agree, every, hooks

CLICKS, REACH = 8, 2
WITHIN = 0.75
"""Half a frame, and what the estimate is uncertain by."""


class EncoderConformance(ReadingConformance):
    """Subclass it as `class TestMine(EncoderConformance)`, give `name` or `model_file`, and run pytest."""

    click_site = ""
    """The site at which a click is looked for; by default the first."""
    reaches_back = False
    """Whether frames after a click change more than its own: of a causal encoder that remembers."""

    def encoder(self) -> AudioEncoder:
        """The model as what it is."""
        found = as_encoder(self.model())
        assert found is not None, f"{self.name} has codes: test it by ModelConformance"
        return found

    def sounds(self, model: AudioEncoder, clips: Sequence[int], seconds: float | None = None) -> Audio:
        """Noise, another one for each number, (clips, samples) at the model's rate."""
        samples = round((seconds or self.seconds) * model.info.sample_rate)
        noise = [np.random.default_rng(clip).standard_normal(samples) for clip in clips]
        return np.asarray(0.1 * np.stack(noise), np.float32)

    def pass_over(self, model: LoadedModel, clips: Sequence[int], spec: CaptureSpec) -> Frames:
        """One pass over some of many clips."""
        return heard_activations(self.encoder(), self.sounds(self.encoder(), clips), spec)

    def test_it_says_that_it_has_no_codes(self) -> None:
        info = self.encoder().info
        assert (info.codebooks, info.abilities, info.takes_text, info.melody) == (0, (), False, False)

    def test_padding_is_in_no_row(self) -> None:
        """Clips of several lengths have the frames that are said, and not those of a window."""
        model = self.encoder()
        for part in (1.0, 0.9, 0.73):
            seconds = part * self.seconds
            seen = heard_activations(
                model, self.sounds(model, [0, 1], seconds), every(model, "mean", "frames")
            )
            for site in model.info.site_names:
                rows = seen[f"{site}.frames"]
                assert rows.shape[2] == model.frames(seconds), f"{site}, {seconds:g} s"
                agree(seen[f"{site}.mean"], rows.mean(dim=2), 1e-4, f"{site}, {seconds:g} s")

    def test_a_click_is_heard_within_half_a_frame(self) -> None:
        """Where frames change most, averaged over clicks in the middle of one, against that one's place."""
        model = self.encoder()
        site = self.click_site or model.info.site_names[0]
        spec = CaptureSpec((site,), (0,), ("frames",))
        length = model.frames(self.seconds)
        first, last = length // 4, 3 * length // 4
        if last - first < 2:
            pytest.skip(f"{self.seconds:g} s are too few frames to tell")
        frames = np.unique(np.linspace(first, last - 1, CLICKS).astype(int))
        quiet = 1e-2 * self.sounds(model, [0])
        before = heard_activations(model, quiet, spec)[f"{site}.frames"][0, 0]
        beside = torch.zeros(2 * length)
        for frame in frames:
            clicked = quiet.copy()
            middle = round((frame + 0.5) * model.info.sample_rate / model.info.frame_rate)
            clicked[0, middle - 2 : middle + 3] = 0.9
            change = heard_activations(model, clicked, spec)[f"{site}.frames"][0, 0] - before
            size = change.norm(dim=1).cpu()
            if self.reaches_back:  # what changes first counts
                size = (size > 1e-3 * size.max()).float() * (torch.arange(length, 0, -1) / length)
            beside[length - frame : 2 * length - frame] += size / size.max()
        peak = int(beside.argmax())
        around = torch.arange(peak - REACH, peak + REACH + 1)
        weights = beside[around] ** 4
        centre = float((weights * around).sum() / weights.sum()) if not self.reaches_back else float(peak)
        assert abs(centre - length) <= WITHIN, f"{centre - length:+.2f} frames beside the click"

    def test_capture_leaves_nothing_behind_and_holds_no_whole_activation(self) -> None:
        model = self.encoder()
        audio = torch.from_numpy(self.sounds(model, [0]))[:, None]
        site = model.info.site_names[-1]
        before = hooks(model)
        seen: list[weakref.ref[torch.Tensor]] = []
        with capturing(model, every(model, "mean")):
            handle = model.point(site, 0).hook(lambda rows: seen.append(weakref.ref(rows)))
            model.hear(audio)
            handle.remove()
            assert hooks(model) > before
            assert [one() for one in seen] == [None]
        assert hooks(model) == before
