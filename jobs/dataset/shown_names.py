"""Shows labels so that two that differ look different: blanks and invisible letters are quoted."""

import unicodedata

_INVISIBLE = ("Cf", "Cc", "Zl", "Zp")
"""Unicode's categories of formats, controls and breaks."""


def shown(name: str) -> str:
    """A label as it is; in quotes, with escapes, where it holds what no reader sees."""
    if not unicodedata.is_normalized("NFC", name):
        return ascii(name)
    return name if name and name == _visible(name) else repr(name)


def _visible(name: str) -> str:
    """What is seen of a text in a line: no blanks around it, one between words."""
    letters = (letter for letter in name if unicodedata.category(letter) not in _INVISIBLE)
    return " ".join("".join(letters).split())
