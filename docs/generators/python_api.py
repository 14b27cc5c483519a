"""The page of the Python interface, read from the docstrings by mkdocstrings."""

from docs.generators.sources import ROOT

FACADE = ROOT / "undertone.py"
STORE = """# Python

Read a store from Python: activations as NumPy, xarray or Zarr. [Use a notebook](../how-to/notebook.md) shows
how.

::: store
"""
WHOLE = """# Python

::: undertone
"""


def python_page() -> str:
    """The whole interface where there is one, else what the store offers."""
    return WHOLE if FACADE.is_file() else STORE
