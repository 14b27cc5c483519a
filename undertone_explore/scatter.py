"""A map of clips in a page: hover says what, a click plays, a lasso picks."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import soundfile
import traitlets

import undertone as ut

FOLDER = Path(__file__).parent
CLASSES = 8
"""Classes that have a colour of their own, the most frequent ones; the others share a grey."""
NO_CLASS, OTHER_CLASS = 255, 254


class ClipScatter(anywidget.AnyWidget):
    """Points that can be heard and picked; Python decides what is inside a lasso, and the page shows it."""

    _esm = FOLDER / "scatter.js"
    _css = FOLDER / "scatter.css"
    points = traitlets.Bytes().tag(sync=True)
    """float32 pairs."""
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    codes = traitlets.Bytes().tag(sync=True)
    """uint8 of each point: its class, or 0 … 253 from the smallest number to the largest."""
    legend = traitlets.Dict().tag(sync=True)
    picked = traitlets.Bytes().tag(sync=True)
    """uint8 of each point: 1 where it is picked."""
    polygon: "traitlets.List[Any]" = traitlets.List().tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)
    sound = traitlets.Bytes().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, sound_of: Callable[[str], ut.Sound], on_pick: Callable[[tuple[str, ...]], None]
    ) -> None:
        super().__init__()
        self._sound_of, self._on_pick = sound_of, on_pick
        self._plane: ut.ClipMap | None = None
        self._clip_ids: tuple[str, ...] = ()
        self._chosen: frozenset[str] = frozenset()
        self.observe(lambda change: self._play(change["new"]), names="clicked")
        self.observe(lambda change: self._pick(change["new"]), names="polygon")

    def show(self, plane: ut.ClipMap, values: Sequence[Any], title: str) -> None:
        """Draw a map whose clips have these values; NULL is hollow."""
        self._plane, self._clip_ids = plane, plane.clip_ids
        rows = plane.table()
        uris, starts = rows["uri"], rows["start_seconds"]
        codes, legend = coloured(values)
        with self.hold_sync():
            self.points = plane.points.astype("<f4").tobytes()
            self.names = [
                f"{uri or clip_id} at {start or 0:g} s · {title} {'–' if value is None else value}"
                for clip_id, uri, start, value in zip(self._clip_ids, uris, starts, values, strict=True)
            ]
            self.codes = codes
            self.legend = legend | {"title": title}
            self.picked = self._marks()

    def mark(self, clip_ids: Sequence[str]) -> None:
        """Show which clips are picked."""
        self._chosen = frozenset(clip_ids)
        self.picked = self._marks()

    def _marks(self) -> bytes:
        return bytes(clip_id in self._chosen for clip_id in self._clip_ids)

    def _pick(self, polygon: list[Any]) -> None:
        if self._plane is not None:
            self._on_pick(self._plane.inside(polygon) if len(polygon) > 2 else ())

    def _play(self, clicked: dict[str, Any]) -> None:
        place = clicked.get("place", -1)
        if not (isinstance(place, int) and 0 <= place < len(self._clip_ids)):
            return
        try:
            sound = self._sound_of(self._clip_ids[place])
        except ut.UndertoneError as error:
            self.said = str(error)
            return
        with self.hold_sync():
            self.said = f"{self.names[place]} ({sound.seconds:g} s)"
            self.sound = wav(sound)


def wav(sound: ut.Sound) -> bytes:
    """A sound as a file that every browser plays."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(sound.samples, -1, 1), sound.sample_rate, format="WAV")
    return buffer.getvalue()


def coloured(values: Sequence[Any]) -> tuple[bytes, dict[str, Any]]:
    """A code for each value, and what the codes mean; of numbers a scale, of anything else classes."""
    known = [value for value in values if value is not None]
    numbers = [value for value in known if isinstance(value, int | float) and not isinstance(value, bool)]
    if known and len(numbers) == len(known) and len(set(numbers)) > CLASSES:
        low, high = float(min(numbers)), float(max(numbers))
        codes = [
            NO_CLASS if value is None else round((float(value) - low) / (high - low) * (OTHER_CLASS - 1))
            for value in values
        ]
        return bytes(codes), {"low": low, "high": high}
    counts = Counter(str(value) for value in known)
    shown = sorted(name for name, _ in counts.most_common(CLASSES))
    code_of = {name: code for code, name in enumerate(shown)}
    codes = [NO_CLASS if value is None else code_of.get(str(value), OTHER_CLASS) for value in values]
    return bytes(codes), {"classes": shown, "others": len(counts) - len(shown)}
