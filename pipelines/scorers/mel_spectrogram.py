"""Log-mel spectrograms as `ClapFeatureExtractor` computes them, but of whole batches at once."""

from typing import Any

import torch

POWER_FLOOR = 1e-10


def log_mel(
    audio: torch.Tensor, filters: torch.Tensor, *, window_samples: int, hop_samples: int
) -> torch.Tensor:
    """Power in mel bands, in dB.

    Args:
        audio: float32 (B, samples).
        filters: (window_samples / 2 + 1, mel bins).
        window_samples: length of the Hann window and the Fourier transform.
        hop_samples: distance of two frames; the first is centred on the first sample.

    Returns:
        float32 (B, frames, mel bins).
    """
    spectrum = torch.stft(
        audio,
        window_samples,
        hop_samples,
        window=torch.hann_window(window_samples, device=audio.device),
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return 10 * torch.log10((power.transpose(1, 2) @ filters).clamp_min(POWER_FLOOR))


def mel_filters(extractor: Any) -> torch.Tensor:
    """The filters a transformers feature extractor uses: Slaney's, or HTK's where it fuses several views."""
    fused = extractor.truncation == "fusion"
    return torch.from_numpy(extractor.mel_filters if fused else extractor.mel_filters_slaney).float()


def repeated_and_padded(audio: torch.Tensor, samples: int) -> torch.Tensor:
    """(B, samples): audio too short for it is repeated as often as it fits, and silence fills the rest."""
    whole = audio.repeat(1, max(1, samples // audio.shape[1]))[:, :samples]
    return torch.nn.functional.pad(whole, (0, samples - whole.shape[1]))
