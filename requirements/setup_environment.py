"""Make .venv hold exactly what the requirement files say; return at once when it does already.

Run through `make setup`, with any Python from 3.11 on and nothing but its standard library. What is installed
past the obsolete pins of audiocraft and laion-clap, and why, stands in README.md beside this file.
"""

import argparse
import importlib.util
import json
import os
import runpy
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
STAMP: Final = VENV / "undertone-setup.json"
ACCELERATORS: Final = ("cpu", "cuda")
PIP_SETTINGS: Final = {
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
}
"""Settings of pip that uv obeys only under a name of its own."""


def main() -> None:
    """Set up, unless the stamp says that these very files were installed here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accelerator", choices=ACCELERATORS, help="default: as last time, else cpu")
    stamp = read_stamp()
    accelerator = parser.parse_args().accelerator or stamp.get("accelerator", "cpu")
    wanted = {"accelerator": accelerator, "folder": str(ROOT), "digest": digest_of_requirements()}
    if stamp == wanted and is_whole():
        return
    print(f"Setting up .venv ({accelerator}) …", flush=True)
    # Paths are written into .venv, and builds of torch for CPU and CUDA satisfy each other's requirement.
    if not is_whole() or any(stamp.get(key, wanted[key]) != wanted[key] for key in ("folder", "accelerator")):
        create_venv()
    write_stamp({**wanted, "digest": "not finished"})
    install(accelerator)
    write_stamp(wanted)


def read_stamp() -> dict[str, str]:
    """What the last set-up recorded; empty when there was none."""
    if not STAMP.exists():
        return {}
    recorded: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    return recorded


def write_stamp(stamp: dict[str, str]) -> None:
    """Record what .venv is being, or has been, set up for."""
    STAMP.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")


def digest_of_requirements() -> str:
    """Hash of every file that decides what is installed: contents, since a checkout changes all times."""
    folder = ROOT / "requirements"
    files = [ROOT / "pyproject.toml", *sorted(folder.glob("*.txt")), *sorted(folder.glob("*.py"))]
    return sha256(b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in files)).hexdigest()


def create_venv() -> None:
    """Create .venv with this Python, in place of what may be there."""
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"{sys.executable} cannot make virtual environments: its ensurepip module is missing. "
            "On Debian and Ubuntu: apt-get install python3-venv"
        )
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def is_whole() -> bool:
    """Whether .venv has an interpreter that still exists, and pip, which comes last when one is created."""
    return python_of_venv().exists() and (VENV / "bin" / "pip").exists()


def python_of_venv() -> Path:
    """The interpreter that everything is installed for."""
    return VENV / "bin" / "python"


def install(accelerator: str) -> None:
    """Install uv, then the locked dependencies, then this project as an editable."""
    python = str(python_of_venv())
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-r", "requirements/uv.txt"], check=True, cwd=ROOT
    )
    print("Installing the locked dependencies into .venv; this takes a minute or two.", flush=True)
    uv_pip_install(
        ["-r", "pyproject.toml", "--group", "dev"],
        ["--constraints", "requirements/lock.txt", "--build-constraints", "requirements/lock.txt"],
        ["--overrides", "requirements/overrides.txt"],
        ["--overrides", f"requirements/overrides-{accelerator}.txt"],
        accelerator=accelerator,
    )
    drop_torchaudio_libraries()
    uv_pip_install(["--no-deps", "--no-build-isolation", "--editable", "."], accelerator=accelerator)
    point_at_checkout_relatively()


def uv_pip_install(*arguments: list[str], accelerator: str) -> None:
    """Run `uv pip install` for .venv with the indexes and wheel folders that pip is told to use."""
    command = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(python_of_venv())]
    subprocess.run(
        [*command, *(word for group in arguments for word in group)],
        check=True,
        cwd=ROOT,
        env={"UV_COMPILE_BYTECODE": "1", **os.environ, **uv_settings(accelerator)},
    )


def uv_settings(accelerator: str) -> dict[str, str]:
    """Settings of pip under uv's names; a folder of local wheels holds CPU builds, which outrank CUDA's."""
    settings = {
        uv_name: ",".join(os.environ[pip_name].split())
        for pip_name, uv_name in PIP_SETTINGS.items()
        if pip_name in os.environ and uv_name not in os.environ
    }
    if accelerator == "cuda":
        settings.pop("UV_FIND_LINKS", None)
    return settings


def drop_torchaudio_libraries() -> None:
    """Remove torchaudio's compiled part where it cannot be loaded: beside a CPU build of torch on Linux."""
    packages = site_packages()
    if sys.platform == "linux" and runpy.run_path(str(packages / "torch" / "version.py"))["cuda"] is None:
        for library in (packages / "torchaudio" / "lib").glob("*.so"):
            library.unlink()


def point_at_checkout_relatively() -> None:
    """Rewrite the editable install's path as a relative one.

    Python decodes .pth files by the locale and refuses to start at all where a folder's name does not fit
    (LC_ALL=C and a name with an accent).
    """
    (link,) = site_packages().glob("*undertone*.pth")
    link.write_text(os.path.relpath(ROOT, link.parent) + "\n", encoding="ascii")


def site_packages() -> Path:
    """Where .venv keeps its packages."""
    (folder,) = (VENV / "lib").glob("python3.*/site-packages")
    return folder


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The set-up stopped: {error}. Once that is mended, `make setup` goes on from there.")
