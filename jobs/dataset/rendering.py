"""Render a synthetic dataset into a store: audio files and the list of clips."""

from collections.abc import Iterator, Mapping
from typing import Any

from jobs.dataset.census import Census, summary_of
from jobs.dataset.claims import sole_writer
from jobs.dataset.options import SynthRequest
from jobs.dataset.progress import RecordingCount, counted
from jobs.dataset.spooling import spooled
from jobs.terminal.results import readable
from pipelines.audio.files import Root
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from store import Store, open_store
from store.arrays.layout import LONGEST_DATASET_NAME, check_name
from store.datasets import forget_dataset, users_of
from store.errors import Conflict
from store.objects.ledger import Entry, entry_of
from store.records import Clip, Failure

NOTES = (
    "Rendered from a General-MIDI SoundFont. Each clip is a function of its concept, its number and the "
    "seed; a larger dataset of the same seed begins with the same clips."
)


def synthesize_dataset(request: SynthRequest) -> dict[str, Any]:
    """Render the audio into the store and add it as a dataset; return a summary for printing.

    A dataset that was rendered from the same request is left as it is.

    Raises:
        InvalidInput: a concept that does not exist, or more clips than the concepts have.
        Conflict: the store has another dataset of this name.
    """
    check_name(request.name, "a dataset", longest=LONGEST_DATASET_NAME)
    store = open_store(request.store, create=True)
    info, census = _info(request), Census()
    if request.name in store.datasets():
        existing = store.dataset(request.name)
        if existing.info.get("rendering") == info["rendering"]:
            return summary_of(request.name, info, census.of(existing))
        _refuse_to_overwrite(request, store, existing.info.get("rendering"), info["rendering"])
    with sole_writer(store.objects, request.name):
        _render(request, store, info, census)
    return summary_of(request.name, info, census)


def _render(request: SynthRequest, store: Store, info: dict[str, Any], census: Census) -> None:
    sounds: list[Entry] = []
    rendered = _rendered_clips(request, store, sounds)
    count = RecordingCount(f"synth {request.name}")
    with counted(count, rendered) as results, spooled(census.clips_of(results)) as clips:
        store.add_dataset(request.name, info, clips, census.failures, replace=request.replace, sounds=sounds)


def _info(request: SynthRequest) -> dict[str, Any]:
    from pipelines.synthesis import CONCEPTS

    return {
        "format": "synthesis",
        "clip_seconds": request.clip_seconds,
        "hop_seconds": request.clip_seconds,
        "root": {"kind": "store", "path": audio_folder(request.name)},
        "notes": NOTES,
        "rendering": {
            "concepts": list(request.chosen_concepts or CONCEPTS),
            "clips": request.clips,
            "seed": request.seed,
            "clip_seconds": request.clip_seconds,
            "band": request.band,
        },
    }


def audio_folder(name: str) -> str:
    """Where in a store the audio of a rendered dataset is."""
    return f"datasets/{name}/audio"


def _refuse_to_overwrite(
    request: SynthRequest, store: Store, former: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> None:
    """Before the first file: other runs may have read the audio that rendering would overwrite."""
    if not request.replace:
        raise Conflict(
            f"Dataset {request.name!r} already exists {_differing(former, now)}. "
            "Choose another name, or add --replace."
        )
    if users := users_of(store.objects, request.name):
        raise Conflict(
            f"Dataset {request.name!r} cannot be replaced: {', '.join(users)} used it. Choose another name."
        )


def _differing(former: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    """What was said of the rendering that is there, where it is not what is asked for."""
    if former is None:
        return "and was not rendered"
    fields = [field for field in now if former.get(field) != now[field]]
    told = (
        f"{field.replace('_', '-')} {readable(former.get(field))}, not {readable(now[field])}"
        for field in fields
    )
    return f"with {'; '.join(told)}"


def _rendered_clips(
    request: SynthRequest, store: Store, sounds: list[Entry]
) -> Iterator[list[Clip] | Failure]:
    """Render sound after sound into the store; each is appended to `sounds`."""
    from pipelines.synthesis import CONCEPTS, render_dataset

    folder = audio_folder(request.name)
    forget_dataset(store.objects, request.name)  # from here on it is no longer what it was

    def keep(uri: str, flac: bytes) -> None:
        store.objects.put(f"{folder}/{uri}", flac)
        sounds.append(entry_of(f"{folder}/{uri}", flac))

    recordings = render_dataset(
        keep,
        clips=request.clips,
        seed=request.seed,
        concepts=request.chosen_concepts or tuple(CONCEPTS),
        clip_seconds=request.clip_seconds,
        band=request.band,
    )
    # What an interrupted or replaced rendering left would otherwise stay beside the new files for good.
    for key, _ in list(store.objects.list(folder)):
        store.objects.delete(key)
    spec = ClipSpec(request.name, request.clip_seconds, request.clip_seconds)
    root = Root(f"{store.url.rstrip('/')}/{folder}")
    return cut_recordings(root, recordings, spec)
