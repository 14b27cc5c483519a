"""The model in the package is whole, or says that it is not."""

import subprocess
from pathlib import Path

import pytest

from pipelines.pocket.shipped import shipped_folder, write_checksums
from store.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t5").mkdir()
    (tmp_path / "state_dict.bin").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "t5" / "config.json").write_text("{}")
    write_checksums(tmp_path)
    return tmp_path


def test_a_whole_folder_is_given(folder: Path) -> None:
    assert shipped_folder(folder) == folder


def test_the_checksums_are_those_of_coreutils(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True)


def test_a_half_copied_file_is_named_with_a_cure(folder: Path) -> None:
    whole = (folder / "state_dict.bin").read_bytes()
    (folder / "state_dict.bin").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"state_dict\.bin is damaged or half copied.*restore the folder"):
        shipped_folder(folder)


def test_a_changed_byte_is_found(folder: Path) -> None:
    content = bytearray((folder / "state_dict.bin").read_bytes())
    content[1234] ^= 1
    (folder / "state_dict.bin").write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        shipped_folder(folder)


@pytest.mark.parametrize("name", ["t5/config.json", "SHA256SUMS"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks .*{Path(name).name}"):
        shipped_folder(folder)
