"""Digests of long lists, equal to `digest_of` of the same values, without their JSON in memory."""

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import TypeAlias

from store.results.parts import DIGITS

CHUNK = 16_384
Part: TypeAlias = "str | list[Part] | list[str] | Iterator[str] | Iterator[str | None] | Iterator[int]"
"""A JSON value, in which a list may also be an iterator that gives its elements one by one."""


def digest_of_parts(parts: list[Part]) -> str:
    """16 hexadecimal digits that stand for a list."""
    digest = sha256()
    for text in _json(parts):
        digest.update(text.encode())
    return digest.hexdigest()[:DIGITS]


def _json(part: Part) -> Iterator[str]:
    if isinstance(part, str):
        yield json.dumps(part)
    elif isinstance(part, list):
        yield "["
        for place, one in enumerate(part):
            yield ", " if place else ""
            yield from _json(one)
        yield "]"
    else:
        yield from _json_of_elements(part)


def _json_of_elements(elements: Iterator[str] | Iterator[str | None] | Iterator[int]) -> Iterator[str]:
    separator = "["
    while chunk := list(islice(elements, CHUNK)):
        yield separator + json.dumps(chunk)[1:-1]
        separator = ", "
    yield "[]" if separator == "[" else "]"
