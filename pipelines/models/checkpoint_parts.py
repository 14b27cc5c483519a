"""Resolves the names that a checkpoint gives to its parts: folders within it, or Hugging Face repositories.

Nothing else is followed: a checkpoint of a stranger has no say in which other files of this machine are read.
"""

import re
from pathlib import Path

from store.errors import ModelError

PRETRAINED_PREFIX = "//pretrained/"
"""How audiocraft's own configurations write the name of a published codec."""
TEXT_ENCODERS = (
    *("t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b"),
    *(f"google/flan-t5-{size}" for size in ("small", "base", "large", "xl", "xxl")),
)
"""The published text encoders that audiocraft knows."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def part_folder(folder: Path, name: str, where: str) -> Path:
    """The folder `./…` within a checkpoint's own.

    Raises:
        ModelError: It leads outside.
    """
    part = folder / name
    if ".." in Path(name).parts or not part.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{where}: {name!r} leads outside the checkpoint's folder, where nothing is read. Copy it "
            "into the folder and name it from there, for example ./t5."
        )
    return part


def text_encoder_name(name: str, where: str) -> str:
    """The name of a text encoder, once it is one that may be looked for.

    Raises:
        ModelError: It is neither a folder within the checkpoint nor a published T5.
    """
    if name.startswith("./") or name in TEXT_ENCODERS:
        return name
    raise ModelError(
        f"{where}: its text encoder is {name!r}. Legal are {', '.join(TEXT_ENCODERS)}, and a folder within "
        "the checkpoint's own such as ./t5: copy the text encoder there and name it so in xp.cfg."
    )


def codec_repository(name: object, where: str) -> str:
    """The repository of a published codec that a checkpoint names instead of holding one.

    Raises:
        ModelError: It is a path, an experiment of the machine it was trained on, or no repository's name.
    """
    repository = name.removeprefix(PRETRAINED_PREFIX) if isinstance(name, str) else ""
    if _REPOSITORY.fullmatch(repository) and ".." not in repository and "--" not in repository:
        return repository
    raise ModelError(
        f"{where}: its codec is {str(name)[:80]!r}, which is no repository such as facebook/encodec_32khz. "
        "Paths and experiments (//sig/…) of the machine it was trained on are not followed: export the codec "
        "itself with audiocraft.utils.export.export_encodec(checkpoint, 'compression_state_dict.bin')."
    )
