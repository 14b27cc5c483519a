"""What is kept of one site over time, computed on the device in float32: (B, rows, D) → (B, D) or (B, n, D)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from store.records import Reduction


def segment_bounds(rows: int, segments: int) -> list[int]:
    """First row of every bin, and the end: bins of equal length where `segments` divides `rows`, else within one."""
    return [rows * index // segments for index in range(segments + 1)]


def reduce_rows(rows: torch.Tensor, reduction: Reduction, *, segments: int) -> torch.Tensor:
    """Reduce the kept decoder steps of one site and layer; the result never shares memory with `rows`.

    Args:
        rows: Tensor (B, rows, D) of any floating type.
        reduction: "std" is the population deviation over rows; "last" the last row, at which the clip is complete.
        segments: Bins of "segments"; ignored otherwise.

    Returns:
        float32: (B, D) for "mean", "std" and "last", (B, segments, D) for "segments", (B, rows, D) for "frames".
    """
    import torch

    if reduction == "mean":
        return rows.mean(dim=1, dtype=torch.float32)
    if reduction == "std":
        return torch.var(rows.float(), dim=1, correction=0).sqrt_()
    if reduction == "last":
        return rows[:, -1].to(torch.float32, copy=True)
    if reduction == "segments":
        bounds = segment_bounds(rows.shape[1], segments)
        bins = [
            rows[:, a:b].mean(dim=1, dtype=torch.float32) for a, b in zip(bounds, bounds[1:], strict=False)
        ]
        return torch.stack(bins, dim=1)
    return rows.to(torch.float32, copy=True)
