"""Loss curves from the files that trainings leave."""

import re
from itertools import pairwise
from pathlib import Path

from training.pocket.curves import read_curves, read_rows, write_curves

LOSSES = """\
step,log_mel,magnitude,timbre
10,0.9,0.8,0
20,0.7,0.7,0
30,0.6,0.6,0.5
20,0.65,0.6,0.4
40,0.5,0.5,0.3
"""


def test_of_steps_that_were_trained_again_the_later_losses_count(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text(LOSSES)
    assert [(row["step"], row["log_mel"]) for row in read_rows(path)] == [
        ("10", "0.9"), ("20", "0.65"), ("40", "0.5"),
    ]  # fmt: skip


def test_a_loss_begins_where_it_is_first_computed(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text(LOSSES)
    assert read_curves(path, ["timbre"]) == {"timbre": [(20.0, 0.4), (40.0, 0.3)]}


def test_names_of_curves_that_end_together_do_not_cover_each_other(tmp_path: Path) -> None:
    (tmp_path / "codec").mkdir()
    (tmp_path / "codec" / "decoder.csv").write_text(LOSSES)
    write_curves(tmp_path, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)" fill="#', drawn))
    assert len(heights) == 3
    assert all(below - above >= 11.9 for above, below in pairwise(heights))
