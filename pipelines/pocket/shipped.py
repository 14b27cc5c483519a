"""The trained model that comes with the package; its files are checked before use."""

from functools import lru_cache
from hashlib import file_digest
from pathlib import Path

from pipelines.models.protocol import ModelSource
from store.errors import ModelError

FOLDER = Path(__file__).parent / "model"
CHECKSUMS = "SHA256SUMS"
CURE = "Install Undertone again, or restore the folder from git."


def shipped_folder(folder: Path = FOLDER) -> Path:
    """The checkpoint's folder, once all its files are known to be whole.

    Raises:
        ModelError: A file is missing, or is not the one that was shipped.
    """
    _check(folder, tuple(sorted(_sizes(folder).items())))
    return folder


def write_checksums(folder: Path) -> None:
    """Write `SHA256SUMS`, as `sha256sum --check` reads it."""
    lines = [f"{_digest(folder / name)}  {name}\n" for name in sorted(_sizes(folder))]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


@lru_cache(maxsize=4)
def _check(folder: Path, sizes: tuple[tuple[str, int], ...]) -> None:  # noqa: ARG001 — another size, another check
    for name, expected in _expected(folder).items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"The built-in model lacks {path}. {CURE}")
        if (found := _digest(path)) != expected:
            raise ModelError(
                f"{path} is damaged or half copied: its SHA-256 is {found[:9]}…, not {expected[:9]}…. {CURE}"
            )


def _expected(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ModelError(f"The built-in model lacks {folder / CHECKSUMS}. {CURE}") from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


MODEL = ModelSource(shipped_folder)
