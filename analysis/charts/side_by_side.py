"""Charts of several panels as one, for notebooks and files."""

from collections.abc import Mapping

import altair as alt

from analysis.charts.parts import Chart

PANEL_WIDTH, COLUMNS = 320, 3


def side_by_side(charts: Mapping[str, Chart]) -> alt.TopLevelMixin:
    """The charts in rows of three, each with the title of its panel; one chart alone stays as it is."""
    shown = [_titled(chart, title) for title, chart in charts.items()]
    if len(shown) == 1:
        return shown[0]
    whole: alt.ConcatChart = alt.concat(*shown, columns=COLUMNS).resolve_scale(
        color="independent", shape="independent", strokeDash="independent", fillOpacity="independent"
    )
    return whole


def _titled(chart: Chart, title: str) -> Chart:
    """A chart of a width of its own: what stands beside others cannot fill its container."""
    changes = {"width": PANEL_WIDTH} if chart.width == "container" else {}
    return chart.properties(**changes, **({"title": title} if title else {}))
