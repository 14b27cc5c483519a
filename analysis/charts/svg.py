"""SVG as text: elements with short numbers, and drawings that say in words what they show."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

Point = tuple[float, float]
FONT_SIZE = 12.0
_MEAN_GLYPH = 0.56
"""Mean width of a letter in a sans-serif face, as a fraction of the font size."""


def element(
    tag: str, *children: Element, text: str | None = None, **attributes: str | float | None
) -> Element:
    """An element; `class_` and `text_anchor` mean class and text-anchor, and None leaves an attribute out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), value if isinstance(value, str) else number(value))
    made.text = text
    made.extend(children)
    return made


def drawing(
    name: str, children: Iterable[Element], *, title: str, description: str, width: float, height: float
) -> str:
    """An inline SVG with an accessible name and description.

    Args:
        name: unique in the page; the ids of title and description begin with it.
        children: what is drawn, back to front.
        title: what it is, in a few words.
        description: what is to be seen, for those who do not see it.
        width: of the view box, in pixels at natural size.
        height: likewise.
    """
    root = element(
        "svg",
        element("title", text=title, id=f"{name}-title"),
        element("desc", text=description, id=f"{name}-desc"),
        *children,
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
    )
    return tostring(root, encoding="unicode")


def number(value: float) -> str:
    """A coordinate: a tenth of a pixel is finer than any screen."""
    return f"{round(value, 1):g}"


def path(points: Sequence[Point], *, closed: bool = False) -> str:
    """Path data through the points."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + ("Z" if closed else "")


def line(start: Point, end: Point, class_: str) -> Element:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def label(text: str, at: Point, *, anchor: str | None = None, class_: str | None = None) -> Element:
    """Text whose vertical middle is at the point."""
    x, y = at
    return element("text", text=text, x=x, y=y, dy="0.35em", text_anchor=anchor, class_=class_)


def name_label(
    text: str, at: Point, width: float, *, anchor: str | None = None, class_: str = "name"
) -> Element:
    """A name, cut where it is wider than `width` pixels; then a pointer that rests on it sees the whole."""
    shown = shortened(text, width)
    made = label(shown, at, anchor=anchor, class_=class_)
    made.extend([hover(text)] * (shown != text))
    return made


def hover(text: str) -> Element:
    """What a pointer sees when it rests on the parent element."""
    return element("title", text=text)


def text_width(text: str, *, font_size: float = FONT_SIZE) -> float:
    """Roughly how wide a text is drawn, in pixels; fonts are the reader's and not known here."""
    return len(text) * font_size * _MEAN_GLYPH


def shortened(text: str, width: float) -> str:
    """The text, its end replaced by "…" where it is wider than `width` pixels."""
    fitting = max(1, int(width / (FONT_SIZE * _MEAN_GLYPH)))
    return text if len(text) <= fitting else f"{text[: fitting - 1].rstrip()}…"
