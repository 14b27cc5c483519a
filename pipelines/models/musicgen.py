"""audiocraft's MusicGen as a model: load it, encode audio, run the decoder, generate.

The decoder runs the way audiocraft generates: in lower precision the blocks' matrices are bf16 or fp16 under
autocast, while the residual stream, the norms and the conditions stay float32.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.acceleration.streaming import streamed_steps, streaming
from pipelines.models.channels import apart, beside, require_channels
from pipelines.models.delay import Alignment, align, frames_of, interleave
from pipelines.models.facts import describe_checkpoint
from pipelines.models.placement import ENCODER_SAMPLES, check_placement
from pipelines.models.protocol import Pass, Point, check_layer
from store.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from pipelines.models.checkpoints import Checkpoint
    from pipelines.models.conditions import ConditionEncoder
    from pipelines.models.protocol import Conditions, GeneratingModel, Hook
    from store.records import ModelInfo, Site

TERMS = {"attn": "layer_scale_1", "xattn": "layer_scale_cross", "mlp": "layer_scale_2"}
"""The modules of a block whose outputs are added to the residual stream, just as they are added: audiocraft
passes each projection through one of these, the identity in every published model."""


def load_musicgen(
    name: str, *, device: str = "cpu", dtype: str = "float32", last_block: int | None = None
) -> MusicGenModel:
    """Load a model.

    Args:
        name: "pocket", "pocket-random", a hub name such as "facebook/musicgen-small" (with "@revision" where
            one is to be pinned), or a folder in audiocraft's checkpoint format.
        device: "cpu" or "cuda"; choose among several GPUs with CUDA_VISIBLE_DEVICES.
        dtype: Of the decoder's matrices: "float32", "bfloat16" or "float16". The codec is always float32.
        last_block: The last decoder block that passes will compute, None for all and the output heads: only
            weights behind it may hold NaN or infinite values.

    Raises:
        InvalidInput: Device or dtype are not legal here.
        ModelError: The checkpoint is missing, damaged or unsupported.
        NotFound: There is no model of that name.
    """
    from pipelines.models.backends import AUDIOCRAFT, with_backend
    from pipelines.models.checkpoints import resolve_checkpoint

    check_placement(device, dtype)
    checkpoint = resolve_checkpoint(with_backend(name, AUDIOCRAFT))
    return load_musicgen_checkpoint(checkpoint, device=device, dtype=dtype, last_block=last_block)


def load_musicgen_checkpoint(
    checkpoint: Checkpoint, *, device: str, dtype: str, last_block: int | None
) -> MusicGenModel:
    """Load a checkpoint in audiocraft's format; see `load_musicgen`."""
    import torch

    from pipelines.models.broken_weights import refuse_broken_weights
    from pipelines.models.conditions import ConditionEncoder
    from pipelines.models.loading import build_codec, build_language_model

    described = describe_checkpoint(checkpoint)
    refuse_broken_weights(described.info.name, described.broken, last_block=last_block)
    codec = build_codec(described.codec_package, device=device)
    language_model = build_language_model(checkpoint, described.package, device=device, dtype=dtype)
    info = described.info
    codec.set_num_codebooks(info.codebooks // info.channels)
    return MusicGenModel(
        info=info,
        codec=codec,
        language_model=language_model,
        conditions=ConditionEncoder(language_model.condition_provider, sample_rate=info.sample_rate),
        device=torch.device(device),
        dtype=getattr(torch, dtype),
    )


if TYPE_CHECKING:

    def _fulfils(model: MusicGenModel) -> GeneratingModel:
        return model


@dataclass(frozen=True, slots=True, repr=False)
class MusicGenModel:
    """A loaded MusicGen: audiocraft's own modules, and what is known of them."""

    info: ModelInfo
    codec: Any
    """`audiocraft.models.CompressionModel`, float32."""
    language_model: Any
    """`audiocraft.models.LMModel`."""
    conditions: ConditionEncoder
    device: torch.device
    dtype: torch.dtype

    def __repr__(self) -> str:
        info, dtype = self.info, str(self.dtype).removeprefix("torch.")
        return (
            f"MusicGen {info.name!r} (layers 0–{info.layers - 1} of {info.width}, {info.codebooks} "
            f"codebooks, {info.frame_rate:g} frames/s, {dtype} on {self.device})"
        )

    @property
    def blocks(self) -> Any:
        """The decoder's blocks, 0 … L−1."""
        return self.language_model.transformer.layers

    @property
    def backend(self) -> str:
        """What computes: the library and its version."""
        import audiocraft

        return f"audiocraft {audiocraft.__version__}"

    @property
    def special_token(self) -> int:
        """Stands where a delayed codebook holds no token yet."""
        return int(self.language_model.special_token_id)

    def point(self, site: Site, layer: int) -> Point:
        """Where the activations of a site and layer pass.

        Raises:
            InvalidInput: The model has no such site or layer.
        """
        check_layer(self.info, site, layer)
        block = self.blocks[layer]
        if site == "embed":
            return Point(block, "input")
        if site == "head":
            return Point(block.self_attn.out_proj, "input")
        return Point(block if site == "resid" else getattr(block, TERMS[site]))

    def on_pass(self, see: Callable[[Pass], None]) -> Hook:
        """Call `see` as each pass begins; every one does so with the fuser, ours and audiocraft's own."""
        all_prepended = 0

        def begin(_: Any, inputs: Any, outputs: Any) -> None:
            nonlocal all_prepended
            steps, streamed = inputs[0].shape[1], streamed_steps(self.language_model)
            if streamed == 0:
                all_prepended = outputs[0].shape[1] - steps
            prepended = all_prepended if streamed == 0 else 0
            see(Pass(steps, prepended, max(0, streamed - all_prepended)))

        return self.language_model.fuser.register_forward_hook(begin)

    def frames(self, clip_seconds: float) -> int:
        """T: codec frames of a clip of that length."""
        return frames_of(self.info, clip_seconds)

    def alignment(self, frames: int) -> Alignment:
        """Frames and decoder steps, read off the model's own codebook pattern."""
        return align(self.language_model.pattern_provider, frames)

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Codec tokens of clips.

        Args:
            audio: Float tensor (B, channels, samples) at `info.sample_rate`, all clips equally long.

        Returns:
            int16 tensor (B, K, T) on the model's device, before the delay pattern.
        """
        import torch

        channels = self.info.channels
        require_channels(audio, channels)
        single = audio.reshape(-1, 1, audio.shape[-1])
        at_once = max(1, ENCODER_SAMPLES[self.device.type] // audio.shape[-1])
        # TF32, on by default in cuDNN, is enough to flip codes.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            parts = [self._encode(part) for part in single.split(at_once)]
        return beside(torch.cat(parts), channels)

    def _encode(self, audio: torch.Tensor) -> torch.Tensor:
        import torch

        codes, scale = self.codec.encode(audio.to(self.device, torch.float32))
        if scale is not None:
            raise ModelError(f"The codec of {self.info.name!r} normalises loudness; MusicGen's does not.")
        result: torch.Tensor = codes.to(torch.int16)
        return result

    def forward(self, codes: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """The teacher-forced pass, without heads: hidden states before the final norm.

        Args:
            codes: Integer tensor (B, K, T) on the device, before the delay pattern, which is applied here.
            conditions: Of the same B clips.

        Returns:
            Tensor (B, P + S, D): P prepended conditions (melody models only), then S decoder steps.
        """
        import torch

        from pipelines.acceleration.idle_attention import idle_attention
        from pipelines.acceleration.matrix_products import fast_products

        model = self.language_model
        sequence = interleave(model.pattern_provider, codes.long(), model.special_token_id)
        lower = self.dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype, enabled=lower),
            fast_products(self.device, self.dtype),
        ):
            inputs = sum(model.emb[k](sequence[:, k]) for k in range(sequence.shape[1]))
            inputs, cross = model.fuser(inputs, conditions)
            with idle_attention((block.cross_attention for block in self.blocks), cross):
                hidden: torch.Tensor = model.transformer(inputs, cross_attention_src=cross)
        return hidden

    @contextmanager
    def streaming(self, *, steps: int, conditions: Conditions) -> Iterator[None]:
        """Within the block, calls of `next_logits` continue one another, `steps` of them at most."""
        names = self.language_model.fuser.fuse2cond.get("prepend", ())
        prepended = sum(conditions[name][0].shape[1] for name in names if name in conditions)
        with streaming(self.language_model, steps=steps + prepended):
            yield

    def next_logits(self, tokens: torch.Tensor, conditions: Conditions, *, copies: int) -> torch.Tensor:
        """Logits (copies · B, K, V) of the step after delayed tokens (B, K, steps)."""
        import torch

        model = self.language_model
        embedded = sum(table(tokens[:, k]) for k, table in enumerate(model.emb))
        if copies > 1:
            embedded = torch.cat([embedded] * copies)
        inputs, cross = model.fuser(embedded, conditions)
        hidden = model.transformer(inputs, cross_attention_src=cross)[:, -1]
        if model.out_norm:
            hidden = model.out_norm(hidden)
        return torch.stack([head(hidden) for head in model.linears], dim=1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Float audio (B, channels, samples) of tokens (B, K, T)."""
        import torch

        channels = self.info.channels
        with torch.inference_mode():
            audio: torch.Tensor = self.codec.decode(apart(codes.long().to(self.device), channels), None)
        return audio.float().reshape(len(codes), channels, -1)
