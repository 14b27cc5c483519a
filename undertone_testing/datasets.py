"""Tests that every dataset format must pass: the author of one subclasses them."""

from collections import Counter
from pathlib import Path, PurePosixPath

from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import Source, open_source
from store.errors import InvalidInput
from store.extensions import DATASETS
from store.records import Failure, Recording


class DatasetConformance:
    """Subclass it as `class TestMine(DatasetConformance)`, give `name` and `write`, and run pytest."""

    name: str
    """Of the entry point in the group undertone.datasets."""

    def write(self, folder: Path) -> None:
        """Write a small dataset of this format: recordings of half a second or more, and no faults."""
        raise NotImplementedError

    def source(self, folder: Path) -> Source:
        """The small dataset, opened by the name of its format."""
        self.write(folder)
        return open_source(folder, self.name)

    def recordings(self, folder: Path) -> list[Recording]:
        """The recordings of the small dataset."""
        found = list(self.source(folder).list_recordings())
        failures = [one for one in found if isinstance(one, Failure)]
        assert not failures, f"The dataset of write() has no faults, but is listed with {failures}."
        return [one for one in found if isinstance(one, Recording)]

    def test_it_is_among_the_formats(self) -> None:
        assert self.name in DATASETS.names(), f"{self.name} is not installed: {DATASETS.names()}"

    def test_it_lists_the_same_in_the_same_order_again(self, tmp_path: Path) -> None:
        source = self.source(tmp_path)
        first = list(source.list_recordings())
        assert first, "Nothing is listed."
        assert list(source.list_recordings()) == first

    def test_names_are_relative_and_unique(self, tmp_path: Path) -> None:
        names = Counter(one.uri for one in self.recordings(tmp_path))
        assert max(names.values()) == 1, f"Listed twice: {names.most_common(1)}"
        bad = [name for name in names if name != str(PurePosixPath(name)) or name.startswith(("/", ".."))]
        assert not bad, f"Names are relative to the root, with forward slashes: {bad}"

    def test_groups_splits_and_labels_are_values_that_a_table_can_hold(self, tmp_path: Path) -> None:
        for one in self.recordings(tmp_path):
            assert isinstance(one.group, str), f"{one.uri}: the group is {one.group!r}"
            assert one.group, f"{one.uri} has an empty group; without a better one a recording is its own."
            assert one.split is None or isinstance(one.split, str), f"{one.uri}: split {one.split!r}"
            for column, value in one.labels.items():
                assert value is None or isinstance(value, str | int | float | bool), (column, value)

    def test_every_recording_can_be_cut_into_clips(self, tmp_path: Path) -> None:
        source = self.source(tmp_path)
        spec = ClipSpec("conformance", clip_seconds=0.5, hop_seconds=0.5)
        for result in cut_recordings(source.root, source.list_recordings(), spec):
            assert not isinstance(result, Failure), result.message
            assert result, "A recording gave no clip."

    def test_an_empty_folder_is_refused_or_lists_nothing(self, tmp_path: Path) -> None:
        try:
            found = list(open_source(tmp_path, self.name).list_recordings())
        except InvalidInput:
            return
        assert found == []
