"""Line charts side by side on one y axis: a panel per site, per layer or per pair of concepts."""

import math
from collections.abc import Mapping
from dataclasses import replace

from analysis.charts.lines import LineChart, line_chart, shared_domain
from jobs.report.page import Panel, anchor


def small_multiples(
    name: str, title: str, charts: Mapping[str, LineChart], *, floor: float = -math.inf
) -> tuple[Panel, ...]:
    """One panel per chart, in their order.

    Args:
        name: anchor of the figure; the ids of its drawings begin with it.
        title: what all of them show; each drawing adds its own.
        charts: by the title of their panel.
        floor: values below it do not widen the common axis; they are drawn at its edge.
    """
    domain = shared_domain(list(charts.values()), floor=floor)
    return tuple(
        Panel(line_chart(anchor(name, panel), f"{title}, {panel}", replace(chart, domain=domain)), panel)
        for panel, chart in charts.items()
    )
