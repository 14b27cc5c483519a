"""The trade-off chart draws the settings and the stairs below which every other lies."""

from analysis.charts.trade_off import TradePath, trade_off
from analysis.pareto import Trade

WEAK, STRONG = Trade(0.9, 0.1, "α 0.1", (0.8, 1.0), (0.0, 0.2)), Trade(0.5, 0.6, "α 0.4")
BEATEN = Trade(0.4, 0.3, "α 0.8")
RANDOM = Trade(0.95, 0.9, "α 0.1")


def test_settings_have_their_intervals_and_controls_are_not_on_the_front() -> None:
    paths = [TradePath("layer 5", [WEAK, STRONG, BEATEN]), TradePath("random", [RANDOM], "control")]
    chart = trade_off(paths, title="Trade-off", x_name="similarity", y_name="transfer").to_dict()
    rows = [row for rows in chart["datasets"].values() for row in rows]
    settings = {
        (row["series"], row["setting"]): (row["x"], row["y"], row["x_interval"])
        for row in rows
        if "x_low" in row
    }
    assert settings["layer 5", "α 0.1"] == (0.9, 0.1, "0.800 to 1.000")
    assert settings["random", "α 0.1"] == (0.95, 0.9, "")
    corners = [(row["x"], row["y"]) for row in rows if "series" not in row]
    assert corners[1:] == [(0.5, 0.6), (0.5, 0.1), (0.9, 0.1), (0.9, corners[-1][1])]
    assert corners[0][1] == 0.6
    assert chart["description"] == (
        "Trade-off. Settings that no other beats: α 0.4: similarity 0.500, transfer 0.600; "
        "α 0.1: similarity 0.900, transfer 0.100."
    )


def test_nothing_to_trade_is_said() -> None:
    assert trade_off([], title="t", x_name="x", y_name="y").to_dict()["description"] == "t. No settings."
