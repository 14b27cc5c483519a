"""Loss curves from the files that trainings leave."""

from pathlib import Path

from training.pocket.curves import PANELS, loss_chart, read_curves, read_rows, write_curves

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


def test_every_stage_has_a_chart_of_its_losses(tmp_path: Path) -> None:
    (tmp_path / "codec").mkdir()
    path = tmp_path / "codec" / "decoder.csv"
    path.write_text(LOSSES)
    (panel,) = [one for one in PANELS if one.file == "codec/decoder.csv"]
    chart = loss_chart(panel, read_curves(path, panel.columns)).to_dict()
    assert chart["title"] == "Codec: decoder"
    points = [(one["series"], one["x"], one["y"]) for one in next(iter(chart["datasets"].values()))]
    assert ("magnitude", 20.0, 0.6) in points
    assert len(points) == 3 + 3 + 2, "timbre is first computed at step 20"
    write_curves(tmp_path, tmp_path / "curves.svg")
    assert "Codec: decoder" in (tmp_path / "curves.svg").read_text()
