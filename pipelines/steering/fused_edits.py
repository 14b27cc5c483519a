"""Apply all edits of a place, kind and scaling at once, for all rows of a batch.

Letters: R edited rows, n edits of a row (the rows with fewer are filled up with strength 0), S decoder steps,
D width of the activations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipelines.steering.schedules import Clock
from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.steering.edits import Edit
    from store.records import ModelInfo

TINY = 1e-20
"""Where a length is zero, as of the cross-attention to no text, it stays zero."""
LEAST_NEW = 1e-4
"""A direction of length one that adds less to those before it adds nothing."""
NOTHING = -1
"""Number of the stretches of time in which no row is edited."""


class FusedEdits:
    """Edits some rows of an activation tensor."""

    def __init__(
        self,
        edits: Mapping[int, Sequence[Edit]],
        *,
        origins: Mapping[int, int],
        rows: int,
        frames: int,
        info: ModelInfo,
        width: int,
        device: torch.device,
    ) -> None:
        """Prepare the edits.

        Args:
            edits: By row of the batch; all of one kind, scaling and head, with a reader or all without.
            origins: By row, the frame at which its schedules begin.
            rows: Of the batch.
            frames: T.
            info: Of the model.
            width: D, of one head where the edits are of a head.
            device: Of the activations.
        """
        first = next(iter(edits.values()))[0]
        self._kind, self._scaling, self._oblique = first.kind, first.scaling, first.oblique
        self._columns = None if first.head is None else slice(first.head * width, (first.head + 1) * width)
        self._rows = _selector(sorted(edits), rows, device)
        steps = frames + max(info.delays)
        ordered = [(list(edits[row]), origins[row]) for row in sorted(edits)]
        strengths = _strengths(ordered, steps, frames, info.frame_rate)
        self._stretches = _stretches(strengths)
        self._strengths = torch.from_numpy(strengths).to(device)
        self._directions = _directions(ordered, width, device)
        self._basis = self._directions if self._oblique else _basis(self._directions)
        self._readers = _readers(ordered, width, device) if self._oblique else None
        self._monitors = (
            Monitors([row for row, _ in ordered], strengths, origins=[o for _, o in ordered], device=device)
            if any(edit.monitor for row, _ in ordered for edit in row)
            else None
        )
        self._kept: tuple[int, Any] = (NOTHING, None)

    def apply(self, activations: torch.Tensor, *, first: int, prepended: int) -> torch.Tensor:
        """Edit `activations` (rows, prepended + steps, D) from step `first` on; itself where none is due."""
        steps = activations.shape[1] - prepended
        stretches = self._stretches[first : first + steps]
        if len(stretches) < steps:
            raise InvalidInput(
                f"A pass reaches step {first + steps}, but the steering was planned for "
                f"{len(self._stretches)}. Give it as many frames as are generated."
            )
        if stretches.count(NOTHING) == steps:
            return activations
        chosen = activations[self._rows] if prepended == 0 else activations[self._rows, prepended:]
        if self._columns is not None:
            chosen = chosen[..., self._columns]
        edited = self._edit(chosen, first, steps).to(activations.dtype)
        return self._inserted(edited, activations, prepended)

    def _inserted(self, edited: torch.Tensor, activations: torch.Tensor, prepended: int) -> torch.Tensor:
        """A new tensor: `activations` with the edited rows and steps in their places."""
        if self._columns is not None:
            result = activations.clone()
            if isinstance(self._rows, slice):
                result[self._rows, prepended:, self._columns] = edited
            else:
                whole = result[self._rows, prepended:]
                whole[..., self._columns] = edited
                result[self._rows, prepended:] = whole
            return result
        if prepended == 0 and len(edited) == len(activations):
            return edited
        if prepended == 0 and isinstance(self._rows, slice) and self._rows.start == 0:
            return torch.cat([edited, activations[self._rows.stop :]])  # cheaper than the general way
        result = activations.clone()
        result[self._rows, prepended:] = edited
        return result

    def _edit(self, h: torch.Tensor, first: int, steps: int) -> torch.Tensor:
        if self._kind == "ablate":
            basis, strengths = self._at(first, steps)
            if self._readers is not None:
                return _erased(h, basis, *self._readers, strengths)
            return h - ((h @ basis.transpose(1, 2)) * strengths) @ basis
        if self._monitors is not None:
            self._monitors.watch(h, self._directions, first)
        shrink, push = self._at(first, steps)
        if self._scaling == "unit":
            return torch.addcmul(push, h, shrink)
        length = torch.linalg.vector_norm(h, dim=-1, keepdim=True)
        edited = torch.addcmul(h * shrink, length, push)
        if self._scaling == "norm":
            return edited
        now = torch.linalg.vector_norm(edited, dim=-1, keepdim=True).clamp(min=TINY)
        restored: torch.Tensor = edited * (length / now)
        return restored

    def _at(self, first: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What `_edit` needs for these steps; kept while nothing changes from step to step."""
        if steps > 1 or self._monitors is not None:
            return self._computed(first, steps)
        stretch = self._stretches[first]
        if self._kept[0] != stretch:
            self._kept = stretch, self._computed(first, 1)
        kept: tuple[torch.Tensor, torch.Tensor] = self._kept[1]
        return kept

    def _computed(self, first: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        strengths = self._strengths[:, first : first + steps]
        if self._kind == "ablate":
            return self._basis, strengths
        if self._monitors is not None:
            strengths = strengths * self._monitors.gates[:, first : first + steps]
        push = strengths @ self._directions
        if self._kind == "add":
            return torch.ones_like(strengths[..., :1]), push
        shrink = 1 / (1 + strengths.abs().sum(dim=-1, keepdim=True))
        return shrink, push * shrink


class Monitors:
    """Gates of the edits that watch themselves, (R, S, n): written as the steps pass, read again later."""

    def __init__(
        self,
        edits: Sequence[Sequence[Edit]],
        strengths: NDArray[np.float32],
        *,
        origins: Sequence[int],
        device: torch.device,
    ) -> None:
        rows, _, width = strengths.shape
        middle, slope, threshold, decay = np.zeros((4, rows, width), dtype=np.float32)
        threshold += 2.0  # no probability reaches it: an edit without a monitor goes on
        for row, own in enumerate(edits):
            for place, monitor in enumerate(edit.monitor for edit in own):
                if monitor is not None:
                    gap = monitor.mean_positive - monitor.mean_negative
                    middle[row, place] = (monitor.mean_positive + monitor.mean_negative) / 2
                    slope[row, place] = gap / monitor.deviation**2
                    threshold[row, place], decay[row, place] = monitor.threshold, monitor.decay
        self._middle, self._slope, self._threshold, self._decay = (
            torch.from_numpy(values).to(device) for values in (middle, slope, threshold, decay)
        )
        self._origins = torch.tensor(origins, device=device)[:, None]
        self._sum = torch.zeros((rows, width), device=device)
        self._count = torch.zeros((rows, width), device=device)
        self._weight = torch.ones((rows, width), device=device)
        self.gates = torch.ones(strengths.shape, device=device)
        self._seen = 0

    def watch(self, h: torch.Tensor, directions: torch.Tensor, first: int) -> None:
        """Look at the newest step before it is edited and set its gate; steps seen before keep theirs.

        Of a prompt that is the last step, which predicts the first frame that is new.
        """
        newest = first + h.shape[1] - 1
        if newest < self._seen:
            return
        self._seen = newest + 1
        counts = (newest >= self._origins).float()
        self._sum += counts * torch.einsum("rd,rnd->rn", h[:, -1].float(), directions)
        self._count += counts
        mean = self._sum / self._count.clamp(min=1)
        probability = torch.sigmoid(self._slope * (mean - self._middle))
        below = probability < self._threshold
        self._weight = torch.where(below, self._weight * (1 - self._decay * probability), self._weight)
        self.gates[:, newest] = self._weight * below


def _selector(rows: Sequence[int], batch: int, device: torch.device) -> slice | torch.Tensor:
    """The rows as a slice where they are neighbours: no copy is made to read them."""
    if list(rows) == list(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    assert max(rows) < batch
    return torch.tensor(rows, device=device)


def _strengths(
    rows: Sequence[tuple[Sequence[Edit], int]], steps: int, frames: int, frame_rate: float
) -> NDArray[np.float32]:
    """η of every edit at every step, (R, S, n); step s predicts frame s of the first codebook."""
    table = np.zeros((len(rows), steps, max(len(edits) for edits, _ in rows)), dtype=np.float32)
    for row, (edits, origin) in enumerate(rows):
        clock = Clock(np.arange(steps - origin), frames=frames - origin, frame_rate=frame_rate)
        for place, edit in enumerate(edits):
            table[row, origin:, place] = edit.alpha * edit.weight * edit.schedule.strengths(clock)
    return table


def _stretches(strengths: NDArray[np.float32]) -> list[int]:
    """A number per step: equal numbers in a row mean equal strengths, NOTHING means none at all."""
    changes = np.any(strengths[:, 1:] != strengths[:, :-1], axis=(0, 2))
    numbers = np.concatenate([[0], np.cumsum(changes)])
    return [int(number) for number in np.where(np.any(strengths != 0, axis=(0, 2)), numbers, NOTHING)]


def _directions(rows: Sequence[tuple[Sequence[Edit], int]], width: int, device: torch.device) -> torch.Tensor:
    """Unit vectors (R, n, D)."""
    table = np.zeros((len(rows), max(len(edits) for edits, _ in rows), width), dtype=np.float32)
    for row, (edits, _) in enumerate(rows):
        for place, edit in enumerate(edits):
            table[row, place] = edit.vector
    return torch.from_numpy(table).to(device)


def _readers(
    rows: Sequence[tuple[Sequence[Edit], int]], width: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Readers (R, n, D) and their offsets (R, n)."""
    count = max(len(edits) for edits, _ in rows)
    table, offsets = np.zeros((len(rows), count, width)), np.zeros((len(rows), count))
    for row, (edits, _) in enumerate(rows):
        for place, edit in enumerate(edits):
            table[row, place], offsets[row, place] = edit.reader, edit.reader_offset
    return torch.from_numpy(table).float().to(device), torch.from_numpy(offsets).float().to(device)


def _erased(
    h: torch.Tensor,
    directions: torch.Tensor,
    readers: torch.Tensor,
    offsets: torch.Tensor,
    strengths: torch.Tensor,
) -> torch.Tensor:
    """Activations h (R, S, D) without what each reader reads, one after the other."""
    for place in range(directions.shape[1]):
        read = torch.einsum("rsd,rd->rs", h, readers[:, place]) - offsets[:, place, None]
        h = h - (strengths[:, :, place] * read)[..., None] * directions[:, place, None]
    return h


def _basis(directions: torch.Tensor) -> torch.Tensor:
    """Gram-Schmidt of each row's directions, (R, n, D): what each adds to those before it, or zero.

    Not by QR, whose later vectors are wrong where an earlier one adds nothing.
    """
    basis = torch.zeros_like(directions, dtype=torch.float64)
    for place, direction in enumerate(directions.double().unbind(1)):
        rest = direction
        for _ in range(2):  # once leaves what rounding makes of nearly equal directions
            rest = rest - torch.einsum("rn,rnd->rd", torch.einsum("rnd,rd->rn", basis, rest), basis)
        length = torch.linalg.vector_norm(rest, dim=-1, keepdim=True)
        basis[:, place] = torch.where(length > LEAST_NEW, rest / length.clamp(min=TINY), 0.0)
    return basis.to(directions.dtype)
