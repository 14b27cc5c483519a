"""transformers' MusicGen as a model: load it, encode audio, run the decoder, generate.

Its decoder is run by itself, without masks and with conditions of one length per pass: padding is attended to
in MusicGen, which was trained that way, and transformers would mask it. The states that are returned and
captured are those before the final norm, where transformers' own `hidden_states[-1]` is behind it.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from pipelines.models.channels import apart, beside, require_channels
from pipelines.models.conversion.transformers_files import read_tensors
from pipelines.models.delay import Alignment, delayed, frames_of, planned_alignment
from pipelines.models.facts import describe_checkpoint
from pipelines.models.placement import ENCODER_SAMPLES
from pipelines.models.protocol import Pass, Point, check_layer
from pipelines.models.transformers_conditions import TransformersConditions
from pipelines.models.transformers_modules import build_whole, modern_name, require_shapes, shapes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.models.checkpoints import Checkpoint
    from pipelines.models.protocol import Conditions, GeneratingModel, Hook
    from store.records import ModelInfo, Site

ATTENTION = "sdpa"
"""How attention is computed: torch's own product, in transformers' words."""


def load_transformers_musicgen(
    checkpoint: Checkpoint, *, device: str, dtype: str, last_block: int | None, attention: str = ATTENTION
) -> TransformersMusicGen:
    """Load a checkpoint in the format of transformers; see `pipelines.models.named.load_named_model`.

    Args:
        checkpoint: Where it lies.
        device: "cpu" or "cuda".
        dtype: Of the decoder's matrices.
        last_block: The last decoder block that passes will compute, None for all and the output heads.
        attention: "sdpa" or "eager".

    Raises:
        ModelError: The checkpoint is missing, damaged or unsupported.
    """
    from pipelines.models.broken_weights import refuse_broken_weights
    from pipelines.models.conversion.transformers_files import read_config

    described = describe_checkpoint(checkpoint)
    refuse_broken_weights(described.info.name, described.broken, last_block=last_block)
    config = read_config(checkpoint.folder)
    tensors = read_tensors(checkpoint.folder)
    require_shapes(config, shapes_of(tensors), str(checkpoint.folder))
    whole = build_whole(config, attention=attention)
    whole.load_state_dict({modern_name(name): tensors[name] for name in tensors}, strict=False)
    whole.tie_weights()
    whole = whole.eval().requires_grad_(requires_grad=False).to(device)
    for block in whole.decoder.model.decoder.layers:
        for part in block.modules():
            if isinstance(part, torch.nn.Linear):  # norms and what lies between blocks stay float32
                part.to(getattr(torch, dtype))
    return TransformersMusicGen(
        info=described.info,
        whole=whole,
        conditions=TransformersConditions(whole, checkpoint.folder, info=described.info),
        device=torch.device(device),
        dtype=getattr(torch, dtype),
        attention=attention,
        wraps_states=_gives_tuples(whole.decoder.model.decoder.layers[0]),
    )


if TYPE_CHECKING:

    def _fulfils(model: TransformersMusicGen) -> GeneratingModel:
        return model


@dataclass(slots=True)
class _Stream:
    """What the calls of `next_logits` of one block share."""

    cache: Any = None
    """transformers' cache of keys and values; None outside of a block."""


@dataclass(frozen=True, slots=True, repr=False)
class TransformersMusicGen:
    """A loaded MusicGen: transformers' own modules, and what is known of them."""

    info: ModelInfo
    whole: Any
    """`MusicgenForConditionalGeneration` or `MusicgenMelodyForConditionalGeneration`."""
    conditions: TransformersConditions
    device: torch.device
    dtype: torch.dtype
    attention: str
    """"sdpa" or "eager"."""
    wraps_states: bool
    """Whether a block gives a tuple that begins with its states, as some versions do."""
    _stream: _Stream = field(default_factory=_Stream)

    def __repr__(self) -> str:
        info, dtype = self.info, str(self.dtype).removeprefix("torch.")
        return (
            f"MusicGen {info.name!r} of transformers (layers 0–{info.layers - 1} of {info.width}, "
            f"{info.codebooks} codebooks, {info.frame_rate:g} frames/s, {dtype} on {self.device}, "
            f"{self.attention})"
        )

    @property
    def decoder(self) -> Any:
        """The module that every pass goes through."""
        return self.whole.decoder.model.decoder

    @property
    def backend(self) -> str:
        """What computes: the library, its version, and its way to attend."""
        import transformers

        return f"transformers {transformers.__version__}, {self.attention}"

    @property
    def special_token(self) -> int:
        """Stands where a delayed codebook holds no token yet."""
        return self.info.codebook_size

    def point(self, site: Site, layer: int) -> Point:
        """Where the activations of a site and layer pass.

        Raises:
            InvalidInput: The model has no such site or layer.
        """
        check_layer(self.info, site, layer)
        block = self.decoder.layers[layer]
        match site:
            case "embed":
                return Point(block, "input")
            case "head":
                return Point(block.self_attn.out_proj, "input")
            case "attn":
                return Point(block.self_attn, element=0)
            case "xattn":
                return Point(block.encoder_attn, element=0)
            case "mlp":
                return Point(block.fc2)
            case _:
                return Point(block, element=0 if self.wraps_states else None)

    def on_pass(self, see: Callable[[Pass], None]) -> Hook:
        """Call `see` as each pass begins, ours and those of transformers' own `generate`."""
        all_prepended = 0

        def begin(_: Any, __: Any, given: dict[str, Any]) -> None:
            nonlocal all_prepended
            cache, before = given.get("past_key_values"), given.get("encoder_hidden_states")
            streamed = 0 if cache is None else int(cache.get_seq_length())
            if streamed == 0:
                all_prepended = 0 if before is None or self.info.cross_attention else before.shape[1]
            prepended = all_prepended if streamed == 0 else 0
            see(Pass(given["input_ids"].shape[-1], prepended, max(0, streamed - all_prepended)))

        return self.decoder.register_forward_pre_hook(begin, with_kwargs=True)

    def frames(self, clip_seconds: float) -> int:
        """T: codec frames of a clip of that length."""
        return frames_of(self.info, clip_seconds)

    def alignment(self, frames: int) -> Alignment:
        """Frames and decoder steps."""
        return planned_alignment(self.info.delays, frames)

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Codec tokens of clips: as `MusicGenModel.encode`."""
        channels = self.info.channels
        require_channels(audio, channels)
        single = audio.reshape(-1, 1, audio.shape[-1])
        at_once = max(1, ENCODER_SAMPLES[self.device.type] // audio.shape[-1])
        codec = self.whole.audio_encoder
        # TF32, on by default in cuDNN, is enough to flip codes.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            parts = [
                codec.quantizer.encode(codec.encoder(part.to(self.device, torch.float32))).transpose(0, 1)
                for part in single.split(at_once)
            ]
        codes = torch.cat(parts)[:, : self.info.codebooks // channels]
        return beside(codes, channels).to(torch.int16)

    def forward(self, codes: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """The teacher-forced pass, without heads: as `MusicGenModel.forward`."""
        from pipelines.acceleration.idle_attention import idle_attention
        from pipelines.acceleration.matrix_products import fast_products

        attentions = (
            [block.encoder_attn for block in self.decoder.layers] if self.info.cross_attention else []
        )
        sequence = delayed(codes.long(), self.info.delays, self.special_token)
        sequence = sequence[..., : codes.shape[-1] + 1]
        lower = self.dtype != torch.float32
        states: list[torch.Tensor] = []
        # The decoder gives its states behind the final norm only: they are taken on their way there.
        handle = self.decoder.layer_norm.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
        try:
            with (
                torch.inference_mode(),
                torch.autocast(self.device.type, self.dtype, enabled=lower),
                fast_products(self.device, self.dtype),
                idle_attention(attentions, self.conditions.joined(conditions)),
            ):
                self._pass(sequence, conditions, use_cache=False)
        finally:
            handle.remove()
        return states[0]

    @contextmanager
    def streaming(self, *, steps: int, conditions: Conditions) -> Iterator[None]:
        """Within the block, calls of `next_logits` continue one another."""
        from transformers import DynamicCache, EncoderDecoderCache

        self._stream.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        try:
            yield
        finally:
            self._stream.cache = None

    def next_logits(self, tokens: torch.Tensor, conditions: Conditions, *, copies: int) -> torch.Tensor:
        """Logits (copies · B, K, V) of the step after delayed tokens (B, K, steps)."""
        rows = tokens.repeat(copies, 1, 1) if copies > 1 else tokens
        hidden = self._pass(rows, conditions, use_cache=True).last_hidden_state[:, -1]
        return torch.stack([head(hidden) for head in self.whole.decoder.lm_heads], dim=1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Float audio (B, channels, samples) of tokens (B, K, T)."""
        codec, channels = self.whole.audio_encoder, self.info.channels
        with torch.inference_mode():
            single = apart(codes.long().to(self.device), channels)
            audio: torch.Tensor = codec.decoder(codec.quantizer.decode(single.transpose(0, 1)))
        return audio.float().reshape(len(codes), channels, -1)

    def _pass(self, sequence: torch.Tensor, conditions: Conditions, *, use_cache: bool) -> Any:
        """Delayed tokens (rows, K, steps) through the decoder; transformers draws from `random` in it."""
        cache = self._stream.cache if use_cache else None
        begins = cache is None or cache.get_seq_length() == 0
        before = self.conditions.joined(conditions)
        state = random.getstate()
        try:
            return self.decoder(
                input_ids=sequence.reshape(-1, sequence.shape[-1]),
                encoder_hidden_states=before if begins or self.info.cross_attention else None,
                past_key_values=cache,
                use_cache=use_cache,
            )
        finally:
            random.setstate(state)


def _gives_tuples(block: Any) -> bool:
    weight = block.fc1.weight
    states = torch.zeros(1, 1, block.self_attn.embed_dim, device=weight.device)
    lower = weight.dtype != torch.float32
    with torch.inference_mode(), torch.autocast(states.device.type, weight.dtype, enabled=lower):
        return isinstance(block(states), tuple)
