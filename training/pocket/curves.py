"""Loss curves of a training, drawn as one figure from the files that its stages leave."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from analysis.charts.lines import spread

WIDTH, HEIGHT, MARGIN, ACROSS = 300, 190, 44, 2
COLOURS = ("#1b6ca8", "#c1502e", "#3f7d4e", "#7d5ba6", "#8a6d1f")
POINTS = 200
"""Values of a curve at most: neighbours are averaged."""
LABEL_HEIGHT = 12.0

Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """The losses of one stage that are shown together."""

    title: str
    file: str
    columns: tuple[str, ...]


PANELS = (
    Panel("Codec: encoder", "codec/encoder.csv", ("log_mel_1024", "log_mel_256")),
    Panel("Codec: with codebooks", "codec/joint.csv", ("log_mel_1024", "log_mel_256", "commitment")),
    Panel("Codec: decoder", "codec/decoder.csv", ("log_mel", "magnitude", "timbre")),
    Panel(
        "Language model: nats per token",
        "language/language.csv",
        ("codebook_0", "codebook_1", "codebook_2", "codebook_3"),
    ),
)


def write_curves(training: Path, figure: Path) -> None:
    """Draw the panels whose files are there."""
    found = [panel for panel in PANELS if (training / panel.file).is_file()]
    drawn = [
        f'<g transform="translate({place % ACROSS * WIDTH},{place // ACROSS * HEIGHT})">'
        f"{draw_panel(panel, read_curves(training / panel.file, panel.columns))}</g>"
        for place, panel in enumerate(found)
    ]
    rows = -(-len(found) // ACROSS)
    figure.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {ACROSS * WIDTH} {rows * HEIGHT}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(drawn)}</svg>\n",
        encoding="utf-8",
    )


def read_curves(path: Path, columns: Sequence[str]) -> Mapping[str, Curve]:
    """Averaged (step, loss) points of some columns; 0 stands for a loss that is not computed yet."""
    rows = read_rows(path)
    at_once = -(-len(rows) // POINTS)
    groups = [rows[first : first + at_once] for first in range(0, len(rows), at_once)]
    return {
        column: [
            (float(group[-1]["step"]), sum(float(row[column]) for row in group) / len(group))
            for group in groups
            if float(group[-1][column])
        ]
        for column in columns
    }


def read_rows(path: Path) -> list[Mapping[str, str]]:
    """Rows in order of steps: of those that a training wrote again when it was resumed, the later ones."""
    kept: list[Mapping[str, str]] = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            while kept and int(kept[-1]["step"]) >= int(row["step"]):
                kept.pop()
            kept.append(row)
    return kept


def draw_panel(panel: Panel, curves: Mapping[str, Curve]) -> str:
    """One panel as SVG elements."""
    last = max(point[0] for curve in curves.values() for point in curve)
    highest = max(point[1] for curve in curves.values() for point in curve)
    right, bottom, top = WIDTH - MARGIN * 1.6, HEIGHT - 28, 30

    def place(step: float, loss: float) -> str:
        x = MARGIN + (right - MARGIN) * step / last
        return f"{x:.1f},{bottom - (bottom - top) * max(loss, 0.0) / highest:.1f}"

    elements = [
        f'<text x="{MARGIN}" y="18" font-weight="bold">{escape(panel.title)}</text>',
        f'<path d="M{MARGIN} {top}V{bottom}H{right}" fill="none" stroke="#999"/>',
        f'<text x="{MARGIN - 6}" y="{top + 4}" text-anchor="end">{highest:.2f}</text>',
        f'<text x="{MARGIN - 6}" y="{bottom + 4}" text-anchor="end">0</text>',
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{last:,.0f} steps</text>',
    ]
    drawn = {name: curve for name, curve in curves.items() if curve}
    ends = [float(place(*curve[-1]).split(",")[1]) for curve in drawn.values()]
    heights = spread(ends, gap=LABEL_HEIGHT, low=top, high=bottom)
    for colour, (name, curve), height in zip(COLOURS, drawn.items(), heights, strict=False):
        points = " ".join(place(*point) for point in curve)
        words = escape(name.replace("_", " "))
        elements.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        elements.append(f'<text x="{right + 4:g}" y="{height + 4:.1f}" fill="{colour}">{words}</text>')
    return "".join(elements)
