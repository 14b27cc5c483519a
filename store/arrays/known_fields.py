"""Fields that commands write into documents: which type each has, and a sentence where one is absent."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from store.errors import CorruptData

LARGEST = 2**62
Check = Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(one) for one in value)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


Kinds = Mapping[str, "tuple[str, Check]"]
_TEXT, _TRUTH = ("a text", _is_text), ("true or false", _is_truth)
_WHOLE, _NUMBER = ("a whole number of 0 or more", _is_whole), ("a number of 0 or more", _is_number)
_TEXTS, _WHOLES = ("a list of texts", _list_of(_is_text)), ("a list of whole numbers", _list_of(_is_whole))
_MODEL: Kinds = {
    "name": _TEXT,
    "fingerprint": _TEXT,
    "codec_fingerprint": _TEXT,
    "layers": _WHOLE,
    "width": _WHOLE,
    "codebooks": _WHOLE,
    "codebook_size": _WHOLE,
    "frame_rate": _NUMBER,
    "sample_rate": _WHOLE,
    "random_weights": _TRUTH,
    "revision": ("a text or null", _or_null(_is_text)),
    "melody": _TRUTH,
    "max_seconds": _NUMBER,
    "delays": _WHOLES,
    "cross_attention": _TRUTH,
    "text_encoder": ("a text or null", _or_null(_is_text)),
}
_OF_SECTIONS: Mapping[str, Kinds] = {
    "dataset": {"name": _TEXT, "fingerprint": _TEXT},
    "model": _MODEL,
    "capture": {"sites": _TEXTS, "layers": _WHOLES, "reductions": _TEXTS, "segments": _WHOLE},
    "alignment": {
        "frames": _WHOLE,
        "codebooks": _WHOLE,
        "steps": _WHOLE,
        "first_step": _WHOLE,
        "rows": _WHOLE,
        "step_minus_frame": _WHOLES,
    },
    "root": {"kind": _TEXT, "url": _TEXT, "path": _TEXT, "grant": _TRUTH},
    "counts": {"clips": _WHOLE, "failures": _WHOLE},
}
_OF_DOCUMENTS: Kinds = {
    "kind": _TEXT,
    "mode": _TEXT,
    "code_layout": _TEXT,
    "clip_seconds": _NUMBER,
    "hop_seconds": _NUMBER,
    "dtype": _TEXT,
    "frames_dtype": _TEXT,
    "text": _TEXT,
    "rows": _TEXT,
    "batch_clips": _WHOLE,
    "threads": _WHOLE,
    "compression": _TEXT,
    "codes": _TEXT,
    "resampler": _TEXT,
    "codec_fingerprint": _TEXT,
    "sample_rate": _WHOLE,
    "frame_rate": _NUMBER,
    "codebook_size": _WHOLE,
    "channels": _WHOLE,
    "melody_column": _TEXT,
    "format": ("a text or a whole number", lambda value: _is_text(value) or _is_whole(value)),
    "notes": ("a text or a list of texts", _or_null(lambda value: _is_text(value) or _TEXTS[1](value))),
}


class Fields(dict[str, Any]):
    """An object of a document, whose absent fields are an error that names them and the document."""

    def __init__(self, values: Mapping[str, Any], place: str, within: str = "") -> None:
        super().__init__(values)
        self._place = place
        self._within = within
        for name, value in values.items():
            if isinstance(value, dict):
                self[name] = Fields(value, place, f"{within}{name}.")

    def __missing__(self, name: str) -> Any:
        raise CorruptData(
            f"{self._place} has no field {self._within}{name}, which is needed here: restore it from a copy, "
            "or make it again."
        )


def check_known_fields(document: Mapping[str, Any]) -> None:
    """Raise `TypeError` naming a field that is there and of another type than commands write."""
    _check(document, _OF_DOCUMENTS, "")
    for section, kinds in _OF_SECTIONS.items():
        found = document.get(section)
        if isinstance(found, dict):
            _check(found, kinds, f"{section}.")
        elif section in document and not (section == "dataset" and _is_text(found)):
            raise TypeError(f"{section} is {_shown(found)}, not an object")


def check_marker_values(document: Mapping[str, Any]) -> None:
    """Raise `TypeError` unless the values of a commit marker have the types that workers write."""
    kinds: Kinds = {"unit_id": _TEXT, "first_row": _WHOLE, "committed_at": _NUMBER, "writer": _TEXT}
    _check(document, kinds, "")
    for field in ("provenance", "seconds"):
        if not isinstance(document.get(field), dict):
            raise TypeError(f"{field} is {_shown(document.get(field))}, not an object")
    _check_all(document["seconds"].items(), "seconds", _NUMBER)
    for clip in document["clips"]:
        _check(clip, {"clip_id": _TEXT, "state": _TEXT}, "clip.")
        if clip["state"] not in ("ok", "silent", "failed"):
            raise TypeError(f"the state of a clip is {_shown(clip['state'])}, not ok, silent or failed")
        _check_all((clip.get("failure") or {}).items(), "failure", _TEXT)
    for shard in document["shards"]:
        _check(shard, {"array": _TEXT, "former_crc32c": ("a text or null", _or_null(_is_text))}, "shard.")


def _check(values: Mapping[str, Any], kinds: Kinds, within: str) -> None:
    for name, (said, check) in kinds.items():
        if name in values and not check(values[name]):
            raise TypeError(f"{within}{name} is {_shown(values[name])}, not {said}")


def _check_all(items: Iterable[tuple[str, Any]], within: str, kind: tuple[str, Check]) -> None:
    for name, value in items:
        _check({name: value}, {name: kind}, f"{within}.")


def _shown(value: object) -> str:
    return repr(value)[:40]
