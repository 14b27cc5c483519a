"""Hugging Face's Parquet files with an `audio` column, which holds the files' bytes: one file or many shards.

A recording is a row, named `data/train-00000-of-00002.parquet#17`; the audio is read from there whenever it
is needed, a row group at a time.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import PurePosixPath

from pipelines.audio.files import Root
from pipelines.audio.parquet_audio import address, audio_column
from pipelines.datasets.parquet_tables import label_columns, opened_parquet, read_rows
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from pipelines.datasets.table import GROUP_COLUMNS, SPLIT_COLUMN, is_table
from pipelines.datasets.tables import is_table_name
from store.errors import InvalidInput, NotFound
from store.records import Failure, Label, Recording

ENDING = ".parquet"
NOTES = (
    "Splits are those that the names of the Parquet files or of their folders say; groups are a column "
    f"{', '.join(GROUP_COLUMNS)} where there is one, else each recording is its own."
)
_SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_SHARD = re.compile(r"(?P<split>[A-Za-z]+)(?:[-_.].*)?")
_LEVELS = 3
PATH_LABEL = "audio_path"


def list_recordings(root: Root, member: str = "", say: Say = in_silence) -> Iterator[Recording | Failure]:
    """Every row of the file, or of all Parquet files below the root; columns without bytes are labels.

    A Parquet file that cannot be read is a failure, and the others are listed.

    Raises:
        InvalidInput: no Parquet file with an audio column.
    """
    shards = [member] if member.lower().endswith(ENDING) else _shards(root, member)
    found = False
    for shard in shards:
        try:
            column = audio_column_of(root, shard)
            if column is None:
                say(f"{shard!r} is left out, as it has no column with audio.")
                continue
            found = True
            yield from _recordings(root, shard, column, say)
        except (InvalidInput, NotFound) as error:
            found = True
            yield Failure(shard, "list", type(error).__name__, str(error), shard)
    if not found:
        raise InvalidInput(
            f"{root.url} has no Parquet file with a column of audio (a struct of `bytes` and `path`)."
        )


def audio_column_of(root: Root, uri: str) -> str | None:
    """The audio column of a Parquet file, None without one."""
    with opened_parquet(root, uri) as opened:
        return audio_column(opened.schema_arrow)


def find_shard(root: Root, member: str = "") -> str | None:
    """The first Parquet file of a dataset, if it has an audio column: the one named, or one of a folder.

    In a folder those that cannot be read are passed over: other audio may lie beside them.
    """
    if member.lower().endswith(ENDING):
        return member if root.exists(member) and audio_column_of(root, member) else None
    for shard in _shards(root, member):
        with suppress(InvalidInput, NotFound):
            return shard if audio_column_of(root, shard) else None
    return None


def split_of(shard: str) -> str | None:
    """Split that a shard's name says ("train-00000-of-00001.parquet"), or a folder ("train/0000.parquet")."""
    *folders, name = PurePosixPath(shard).with_suffix("").parts
    for part in (name, *reversed(folders)):
        match = _SHARD.fullmatch(part)
        if match and (split := _SPLITS.get(match["split"].lower())):
            return split
    return None


def _shards(root: Root, below: str) -> list[str]:
    """Parquet files of a folder, or of the folders it has."""
    level = [below]
    for _ in range(_LEVELS):
        found = [uri for folder in level for uri in root.files(folder) if uri.lower().endswith(ENDING)]
        if found:
            return found
        level = [f"{folder}/{name}".lstrip("/") for folder in level for name in root.folders(folder)]
    return []


def _recordings(root: Root, shard: str, audio: str, say: Say) -> Iterator[Recording]:
    with opened_parquet(root, shard) as opened:
        columns = label_columns(opened.schema_arrow)
    split = split_of(shard)
    paths = _inner_paths(root, shard, audio)
    rows = read_rows(root, shard, say, columns=columns) if columns else repeat({})
    for row, (path, labels) in enumerate(zip(paths, rows, strict=False)):
        uri = address(shard, row)
        group = next((labels[name] for name in GROUP_COLUMNS if name in labels), None)
        own_split = labels.get(SPLIT_COLUMN)
        named: dict[str, Label] = {} if path is None else {PATH_LABEL: path}
        yield Recording(
            uri,
            group=uri if group is None else str(group),
            split=split if own_split is None else str(own_split),
            labels=named | {name: value for name, value in labels.items() if name != SPLIT_COLUMN},
        )


def _inner_paths(root: Root, shard: str, audio: str) -> Iterator[str | None]:
    """The path that each row says its audio had, without reading the audio."""
    with opened_parquet(root, shard) as opened:
        if opened.schema_arrow.field(audio).type.get_field_index("path") < 0:
            yield from repeat(None, opened.metadata.num_rows)
            return
        for batch in opened.iter_batches(columns=[f"{audio}.path"], use_threads=False):
            for value in batch.column(0).to_pylist():
                yield None if value is None else value["path"]


def _is_huggingface(root: Root, member: str) -> bool:
    is_other = is_table_name(member) and not member.lower().endswith(ENDING)
    if is_other or (not member and is_table(root, member)):
        return False
    return find_shard(root, member) is not None


FORMAT = Format("huggingface", list_recordings, _is_huggingface, notes=NOTES)
