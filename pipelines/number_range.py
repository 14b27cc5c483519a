"""Count what leaves the range of a number format, at every point that is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from store.records import Site


class RangeCounts:
    """How many values of passes were too large or too small for their format, by site and layer.

    Sums stay on the device until they are asked for. Overflow is infinite or not a number; underflow is zero
    or below the smallest normal number of the format that the point computes in.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[Site, int], int] = {}
        self._counts: dict[tuple[Site, int], torch.Tensor] = {}

    def add(self, site: Site, layer: int, rows: torch.Tensor) -> None:
        """Count the values of one pass at a point."""
        import torch

        magnitudes, at = rows.detach().abs(), (site, layer)
        finite = magnitudes <= torch.finfo(rows.dtype).max
        small = magnitudes < torch.finfo(rows.dtype).tiny
        found = torch.stack([(~finite).sum(), small.sum()])
        self._values[at] = self._values.get(at, 0) + rows.numel()
        self._counts[at] = found if at not in self._counts else self._counts[at] + found

    def told(self) -> list[dict[str, Any]]:
        """As JSON values: of each site its layers, and how many values passed and left the range there."""
        sites = dict.fromkeys(site for site, _ in self._counts)
        return [self._of(site) for site in sites]

    def _of(self, site: Site) -> dict[str, Any]:
        layers = sorted(layer for one, layer in self._counts if one == site)
        counts = [self._counts[site, layer].tolist() for layer in layers]
        return {
            "site": site,
            "layers": layers,
            "values": [self._values[site, layer] for layer in layers],
            "overflow": [overflow for overflow, _ in counts],
            "underflow": [underflow for _, underflow in counts],
        }
