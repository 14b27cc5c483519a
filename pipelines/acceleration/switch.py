"""The switch that leaves every pass to torch and audiocraft: UNDERTONE_PLAIN=1 turns all acceleration off."""

import os

VARIABLE = "UNDERTONE_PLAIN"


def is_plain() -> bool:
    """Whether passes are to run without what this folder does to them: slower, and equal but for rounding."""
    return os.environ.get(VARIABLE, "") not in ("", "0")
