"""Train, validation and test by a hash of the group: the same in every dataset, whatever its seed or size."""

from hashlib import sha256

# A salt for which every split has every metre, and 64, 14 and 14 of the 92 instruments from many families.
SALT = "undertone 958"
TRAIN, VALIDATION = 0.70, 0.15


def split_of(group: str) -> str:
    """Returns "train" (70 %), "validation" (15 %) or "test" (15 %)."""
    digest = sha256(f"{SALT}\n{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if place < TRAIN else "validation" if place < TRAIN + VALIDATION else "test"
