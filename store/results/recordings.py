"""Columns of what is known of the files of datasets, so that nobody need read them again."""

from dataclasses import dataclass

from store.results.table import Count, Number, Table, Text, Texts, Time, column


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRow:
    """A file of a dataset, as it was when it was read."""

    dataset: Text = column("dataset that the file belongs to")
    uri: Text = column("name of the file below the dataset's root")
    bytes_: Count = column("length of the file, of a Parquet file where the recording is one of its rows")
    stamp: Text = column("mtime:<nanoseconds>, or etag:<what the bucket calls its content>")
    cut: Text = column("seconds of clips and hops, and whether every clip was decoded")
    root: Text = column("stands for the folder or URL that the file is below; NULL in older parts")
    content: Text = column("SHA-256 of the bytes; etag:… where they were not all read; NULL: no clips")
    sample_rate: Count = column("samples per second; NULL: no clips")
    samples: Count = column("per channel; NULL: no clips")
    channels: Count = column("how many; NULL: no clips")
    peak: Number = column("largest sample of a file of floating-point numbers; 0 for others")
    message: Text = column("why the file gives no clips; NULL: it does")
    silent: Texts = column("clips that are silent, as far as they were decoded")
    clipped: Texts = column("clips with samples at full scale, likewise")
    undecodable: Texts = column("clips that cannot be decoded, likewise")
    reasons: Texts = column("why, one for each of these")
    created_at: Time = column("when it was read (UTC)")


RECORDINGS = Table("recordings", RecordingRow)
