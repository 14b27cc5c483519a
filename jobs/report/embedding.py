"""Put Altair charts into a page that fetches nothing: specifications, and the script that draws them."""

import json
from functools import cache
from typing import Any

from markupsafe import Markup

from analysis.charts.parts import INKS, PAPER, SOFT, TEXT, Chart

VARIABLES = {hue: f"var(--{ink})" for ink, hue in INKS.items()} | {
    TEXT: "var(--ink)",
    SOFT: "var(--soft)",
    PAPER: "var(--paper)",
}
"""Colours of charts are those of the page, which knows light, dark and paper."""
DATA = ("values", "datasets")
LIBRARY = "window.vegaEmbed = vegaEmbed;"


def specification(chart: Chart) -> dict[str, Any]:
    """The chart as Vega-Lite, in the colours of the page; its data stay as they are."""
    made = chart.to_dict(validate=False)
    made.pop("$schema", None)
    made.pop("config", None)
    coloured = _coloured(made)
    assert isinstance(coloured, dict)
    return coloured


def _coloured(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: value if name in DATA else _coloured(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_coloured(one) for one in part]
    return VARIABLES.get(part, part) if isinstance(part, str) else part


def script_text(value: Any) -> Markup:
    """JSON that ends no script element, whatever its texts are."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))  # noqa: S704


@cache
def drawing_library() -> Markup:
    """Vega, Vega-Lite and their embedding as one script."""
    import vl_convert

    script: str = vl_convert.javascript_bundle(LIBRARY)
    return Markup(script.replace("</script", "<\\/script").replace("\r", ""))  # noqa: S704
