"""Reads a drawing as a person does: numbers beside the axes tell what a place means."""

from collections.abc import Callable
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest

Read = Callable[[Element, str], Callable[[float], float]]


@pytest.fixture
def parse() -> Callable[[str], Element]:
    """SVG text as elements."""
    return fromstring


@pytest.fixture
def axis() -> Read:
    """From a drawing and "x" or "y" to a function from pixels to values, by the axis's own numbers."""

    def read(drawing: Element, coordinate: str) -> Callable[[float], float]:
        anchor = {"x": "middle", "y": "end"}[coordinate]
        ticks = [
            (float(text.attrib[coordinate]), float(str(text.text).replace("−", "-")))
            for text in drawing.iter("text")
            if text.get("class") == "tick" and text.get("text-anchor") == anchor
        ]
        assert len(ticks) >= 2, "an axis needs two numbers to be read"
        pixels, values = np.array(ticks).T
        slope, intercept = np.polyfit(pixels, values, 1)
        return lambda pixel: float(slope * pixel + intercept)

    return read
