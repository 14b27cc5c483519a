"""Read files that a user writes or names (UTF-8, TOML, JSON), or say what is wrong with one."""

import json
import tomllib
from pathlib import Path
from typing import Any

from store.errors import InvalidInput, NotFound

STORE_FILE = "undertone.json"
"""What makes a folder a store (`store.format_version.FORMAT_KEY`)."""
BYTE_ORDER_MARK = "\ufeff"


def read_text(path: Path) -> str:
    """The text of a file, without the mark that some editors put at its beginning.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is no UTF-8, or may not be read.
    """
    try:
        return path.read_bytes().decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {str(path)!r}.") from error
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidInput(
            f"{str(path)!r} is not UTF-8 (line {line} holds the byte 0x{error.object[error.start]:02x}): "
            "save it as UTF-8 in your editor."
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; raises `NotFound` or `InvalidInput`."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not TOML: {_reason(error)}.") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises `NotFound` or `InvalidInput`."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no JSON: {_reason(error)}. Was it saved whole?") from error


def _reason(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")


def check_output(path: Path) -> None:
    """Refuse, before any work, a place where no file can be written; raises `InvalidInput` or `NotFound`."""
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder; name the file to write in it.")
    if not path.absolute().parent.is_dir():
        raise NotFound(f"The folder {path.parent}, where to write {path.name}, does not exist.")
    check_outside_stores(path)


def check_outside_stores(path: Path) -> None:
    """Refuse to write a file or folder of the user's into a store, whose files it might replace.

    Raises `InvalidInput`; links are followed.
    """
    whole = path.resolve()
    for folder in (whole, *whole.parents):
        if (folder / STORE_FILE).is_file():
            raise InvalidInput(
                f"{path} lies in the store {folder}, whose files are written by commands alone: name a place "
                "outside of it."
            )
