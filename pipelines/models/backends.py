"""The libraries whose modules compute models, and a model's name with one of them before it."""

from store.errors import InvalidInput

AUDIOCRAFT, TRANSFORMERS = "audiocraft", "transformers"
BACKENDS = (AUDIOCRAFT, TRANSFORMERS)
"""Each computes checkpoints of its own format."""


def split_backend(name: str) -> tuple[str | None, str]:
    """The back-end that stands before a model's name, None where none does, and the name."""
    before, colon, rest = name.partition(":")
    return (before, rest) if colon and before in BACKENDS else (None, name)


def with_backend(name: str, backend: str | None) -> str:
    """A model's name with the back-end that is to compute it; None leaves it to the format of its files.

    Raises:
        InvalidInput: The name says another one.
    """
    said, _ = split_backend(name)
    if backend is None or said == backend:
        return name
    if said is not None:
        raise InvalidInput(f"{name!r} names a back-end already: leave out --backend {backend}.")
    return f"{backend}:{name}"
