"""List, measure and cut the recordings of a dataset, and write them to a store.

Recordings go from a list to measured ones to clips through temporary files: memory holds a few of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from analysis.data_findings import clipped, findings, silent, undecodable, united_groups, with_shared_content
from jobs.dataset.census import Census, summary_of, unknown_splits
from jobs.dataset.claims import sole_writer
from jobs.dataset.known_files import known_files
from jobs.dataset.measuring import measuring
from jobs.dataset.options import AddRequest
from jobs.dataset.progress import RecordingCount, counted
from jobs.dataset.roots import remember_root
from jobs.dataset.spooling import Spool, spool
from jobs.progress.reporting import note
from pipelines.audio.header import AudioInfo
from pipelines.datasets.clip_checks import FlawedClips
from pipelines.datasets.cutting import ClipSpec, Measured, cut, cut_measured, measured_recordings
from pipelines.datasets.formats import Source, open_source
from store import Dataset, Store, open_store
from store.arrays.layout import LONGEST_DATASET_NAME, check_name
from store.datasets import refuse_another_cut
from store.errors import InvalidInput
from store.errors import counted as amount
from store.extensions import DATASETS
from store.records import Clip, Failure, Recording


def add_dataset(request: AddRequest) -> dict[str, Any]:
    """Add a dataset to a store, or its next version; return a summary for printing.

    Files that an earlier addition read, and that are the same since, are not read again.

    Raises:
        NotFound: there is nothing at the path.
        InvalidInput: the path holds no usable audio, or is not in the format that was named.
        Conflict: the store has another dataset of this name.
    """
    check_name(request.name, "a dataset", longest=LONGEST_DATASET_NAME)
    source = open_source(request.path, request.format_name)
    spec = _clip_spec(request, source)
    return Addition(request, source, spec, open_store(request.store, create=True)).run()


@dataclass(slots=True)
class Addition:
    """One dataset on its way into a store."""

    request: AddRequest
    source: Source
    spec: ClipSpec
    store: Store
    census: Census = field(default_factory=Census)
    flawed: FlawedClips = field(default_factory=FlawedClips)
    remarks: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """List, measure, cut and write; returns the summary."""
        name, info = self.request.name, _info(self.source, self.spec)
        refuse_another_cut(self.store.objects, name, info, replace=self.request.replace)
        with spool() as listed, spool() as measured:
            self._list(listed)
            self._measure(listed, measured)
            self._require_clips()
            shared = with_shared_content(self.census.items)
            united = united_groups((item.content, item.group) for item in shared)
            clips = _regrouped(_clips(measured, self.spec), united)
            before, alone = self._stored_version(), self.request.replace
            with sole_writer(self.store.objects, name) if alone else nullcontext():
                dataset = self.store.add_dataset(
                    name, info, clips, self.census.failures, replace=self.request.replace, extend=True
                )
        if self.source.root.is_local:
            remember_root(dataset.fingerprint, self.source.root)
        changed = _changes(dataset) if dataset.version > before else []
        found = [*changed, *self._identities(), *self.remarks, *self._findings(united)]
        return summary_of(name, info, self.census, found) | {"version": dataset.version}

    def _stored_version(self) -> int:
        """The newest that the store has; 0 where it has none."""
        name = self.request.name
        return self.store.dataset(name).version if name in self.store.datasets() else 0

    def _list(self, listed: Spool) -> None:
        """All recordings before the first is read: their number is known then."""
        for one in self.source.list_recordings(self.remarks.append):
            listed.add({"failure" if isinstance(one, Failure) else "recording": asdict(one)})

    def _measure(self, listed: Spool, measured: Spool) -> None:
        """Read each file that is not known, keep what was found, and count what it comes to."""
        count = RecordingCount(f"add {self.request.name}", len(listed))
        with (
            known_files(self.store, self.spec, self.source.root, forget=self.request.rehash) as known,
            measuring(self.request, self.source.root) as (measure, threads),
        ):
            passing = measured_recordings(
                self.source.root,
                _listed(listed),
                self.spec,
                threads=threads,
                find=known.find,
                measure=measure,
            )
            with counted(count, passing) as results:
                for result in results:
                    if not isinstance(result, Failure):
                        known.keep(result[1])
                    self._see(result, measured)
        if count.known:
            note(
                f"{amount(count.known, 'file is', 'files are')} as before and not read again; --rehash "
                "reads them."
            )

    def _see(self, result: tuple[Recording, Measured] | Failure, measured: Spool) -> None:
        if isinstance(result, Failure):
            self.census.see(result)
            return
        recording, file = result
        clips = cut_measured(recording, file, self.spec)
        self.census.see(clips)
        self.flawed.add(file.flawed)
        if not isinstance(clips, Failure):
            measured.add([asdict(recording), file.content, asdict(file.info) if file.info else None])

    def _findings(self, united: Mapping[str, str]) -> list[str]:
        items, clips = self.census.items, self.census.clips
        return [
            *unknown_splits(item.split for item in items),
            *findings(items, united=united),
            *silent(self.flawed.silent, clips),
            *clipped(self.flawed.clipped, clips),
            *undecodable(self.flawed.undecodable, clips),
        ]

    def _identities(self) -> list[str]:
        """That some files are known by what their bucket calls them, not by their bytes."""
        by_etag = self.census.by_etag
        if not by_etag:
            return []
        said = (
            f"{by_etag:,} of {amount(self.census.recordings, 'file')} known by the ETag of their bucket, "
            "not read whole: that they stay the same is what the bucket says, and silent or damaged samples "
            "show when they are extracted."
        )
        return [said]

    def _require_clips(self) -> None:
        failures = self.census.failures
        if self.census.clips:
            return
        where = f"{self.source.root.public_url}/{self.source.member}".rstrip("/")
        if not failures:
            said = "".join(f" {remark}" for remark in self.remarks)
            raise InvalidInput(
                f"There is no audio in {where} (read as format {self.source.format.name!r}).{said}"
            )
        raise InvalidInput(
            f"None of {amount(len(failures), 'recording')} in {where} gives a clip. "
            f"The first, {failures[0].item!r}: {failures[0].message}"
        )


def _listed(listed: Spool) -> Iterator[Recording | Failure]:
    for one in listed:
        yield Failure(**one["failure"]) if "failure" in one else Recording(**one["recording"])


def _clips(measured: Spool, spec: ClipSpec) -> Iterator[Clip]:
    """The clips of all recordings, once more."""
    for recording, content, info in measured:
        yield from cut(Recording(**recording), AudioInfo(**info), content, spec)


def _regrouped(clips: Iterable[Clip], united: Mapping[str, str]) -> Iterator[Clip]:
    """Clips whose groups hold equal files, in one group."""
    for clip in clips:
        yield replace(clip, group=united[clip.group]) if clip.group in united else clip


def _changes(dataset: Dataset) -> list[str]:
    """What a later version changed: for the addition that made it to say."""
    if dataset.version == 1:
        return []
    counts = dataset.info["changes"]
    said = (
        f"This is version {dataset.version}: beside the one before, clips that are new: "
        f"{counts['added']:,}, that have another content: {counts['changed']:,}, gone: {counts['gone']:,}. "
        "Runs that were made before keep what they have; `undertone extract` computes what is new."
    )
    return [said]


def _clip_spec(request: AddRequest, source: Source) -> ClipSpec:
    clip_seconds = source.format.clip_seconds if request.clip_seconds is None else request.clip_seconds
    hop_seconds = clip_seconds if request.hop_seconds is None else request.hop_seconds
    return ClipSpec(request.name, clip_seconds, hop_seconds, request.listen, request.trust_etag)


def _info(source: Source, spec: ClipSpec) -> dict[str, Any]:
    root: dict[str, Any] = {"kind": "local"}
    if not source.root.is_local:
        root = {"kind": "url", "url": source.root.public_url}
        if source.root.public_url != source.root.url:
            root["grant"] = True  # it had a token, which is not stored: --root gives it again
    return {
        "format": source.format.name,
        **DATASETS.recorded(source.format.name),
        "clip_seconds": spec.clip_seconds,
        "hop_seconds": spec.hop_seconds,
        "root": root,
        "notes": source.format.notes,
    }
