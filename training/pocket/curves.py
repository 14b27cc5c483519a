"""Loss curves of a training, drawn as one figure from the files that its stages leave."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt

from analysis.charts.curves import Axes, curves
from analysis.charts.parts import Chart

WIDTH, HEIGHT, ACROSS = 300, 160, 2
POINTS = 200
"""Values of a curve at most: neighbours are averaged."""

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
    charts = [
        loss_chart(panel, read_curves(training / panel.file, panel.columns))
        for panel in PANELS
        if (training / panel.file).is_file()
    ]
    alt.concat(*charts, columns=ACROSS).resolve_scale(color="independent", shape="independent").save(figure)


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


def loss_chart(panel: Panel, found: Mapping[str, Curve]) -> Chart:
    """The losses of one stage over its steps."""
    points = [
        {"series": name.replace("_", " "), "x": step, "y": loss}
        for name, curve in found.items()
        for step, loss in curve
    ]
    chart = curves(points, title=panel.title, axes=Axes("step", "loss", whole_x=False))
    return chart.properties(width=WIDTH, height=HEIGHT, title=panel.title)
