"""CLAP behind one adapter: audio and texts to embeddings of one space, and probabilities of texts.

Two kinds of model are known: those of transformers (a folder, a hub name, or the built-in `pocket`), and
checkpoints of laion-clap (a file).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.scorers.clap_encoder import ClapEncoder, ClapInfo
from store.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import torch

POCKET = "pocket"
TEMPLATE = "This is a sound of {}."
"""Of LAION's own zero-shot evaluation."""
BATCH_WINDOWS = 16


class ClapModel:
    """A loaded CLAP. Embeddings are float32 rows of length one."""

    def __init__(self, encoder: ClapEncoder) -> None:
        self._encoder = encoder

    @property
    def info(self) -> ClapInfo:
        return self._encoder.info

    def embed_audio(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeds clips of one length.

        Audio longer than a window is embedded in evenly spaced windows that cover all of it; their embeddings
        are averaged. (The libraries would choose one window at random.)

        Args:
            audio: mono, float32 (B, samples) at `info.sample_rate`.

        Returns:
            float32 (B, E).

        Raises:
            InvalidInput: the array has another shape, or holds no samples.
        """
        import torch

        if audio.ndim != 2 or not audio.shape[1]:
            raise InvalidInput(
                f"Audio of shape {audio.shape} cannot be embedded; it must be (clips, samples)."
            )
        if not len(audio):
            return np.empty((0, self.info.width), np.float32)
        windows = _windows(torch.from_numpy(audio), self.info.window_samples)
        count, per_clip, samples = windows.shape
        blocks = [
            _unit_rows(self._encoder.embed_windows(block))
            for block in windows.reshape(count * per_clip, samples).split(BATCH_WINDOWS)
        ]
        means = torch.cat(blocks).reshape(count, per_clip, -1).mean(dim=1)
        return _unit_rows(means).cpu().numpy()

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as they are, without any template: float32 (n, E)."""
        if not texts:
            return np.empty((0, self.info.width), np.float32)
        return _unit_rows(self._encoder.embed_texts(texts)).cpu().numpy()


def load_clap(name: str, *, device: str = "cpu") -> ClapModel:
    """Loads a CLAP without executing anything that its files hold.

    Args:
        name: `pocket`; a folder in the format of transformers; a `.pt` file of laion-clap; or a Hugging Face
            name such as laion/clap-htsat-unfused, with @revision if need be.
        device: "cpu" or "cuda".

    Raises:
        NotFound: there is no such file or folder, and the name is no hub name.
        ModelError: files are missing or damaged, or hold another kind of model.
    """
    from pipelines.scorers.clap_transformers import load_from_folder, load_from_hub

    path = Path(name).expanduser()
    if name == POCKET:
        from pipelines.pocket.clap_folder import FOLDER  # pulls in torch

        return ClapModel(load_from_folder(FOLDER, name=POCKET, device=device))
    if path.is_dir():
        return ClapModel(load_from_folder(path, name=path.resolve().name, device=device))
    if path.is_file():
        from pipelines.scorers.clap_laion import load_checkpoint

        return ClapModel(load_checkpoint(path, device=device))
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and path.suffix not in (".pt", ".pth"):
        return ClapModel(load_from_hub(name, device=device))
    raise NotFound(
        f"There is no CLAP {name!r}. Choose pocket, a hub name such as laion/clap-htsat-unfused, a folder of "
        f"transformers, or a checkpoint file of laion-clap (.pt)."
    )


def zero_shot(
    audio_embeddings: NDArray[np.float32], text_embeddings: NDArray[np.float32], scale: float
) -> NDArray[np.float64]:
    """Probabilities of n texts for B clips: a softmax over scaled cosines.

    Args:
        audio_embeddings: unit rows (B, E).
        text_embeddings: unit rows (n, E).
        scale: `ClapInfo.scale`.

    Returns:
        float64 (B, n); rows sum to one.
    """
    logits = scale * cosines(audio_embeddings, text_embeddings)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def cosines(
    audio_embeddings: NDArray[np.float32], text_embeddings: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Cosines of clips and texts: float64 (B, n)."""
    return audio_embeddings.astype(np.float64) @ text_embeddings.astype(np.float64).T


def _windows(audio: "torch.Tensor", samples: int) -> "torch.Tensor":
    """(B, windows, samples)."""
    import torch

    from pipelines.scorers.mel_spectrogram import repeated_and_padded

    length = audio.shape[1]
    if length <= samples:
        return repeated_and_padded(audio, samples).unsqueeze(1)
    count = math.ceil(length / samples)
    starts = [round(place * (length - samples) / (count - 1)) for place in range(count)]
    return torch.stack([audio[:, start : start + samples] for start in starts], dim=1)


def _unit_rows(embeddings: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.nn.functional.normalize(embeddings.float(), dim=-1)
