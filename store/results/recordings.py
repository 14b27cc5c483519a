"""Columns of what is known of the files of datasets, so that nobody need read them again."""

from store.results.table import COUNT, NUMBER, TEXT, TEXTS, TIME, Table

RECORDINGS = Table(
    "recordings",
    {
        "dataset": (TEXT, "dataset that the file belongs to"),
        "uri": (TEXT, "name of the file below the dataset's root"),
        "bytes": (COUNT, "length of the file, of a Parquet file where the recording is one of its rows"),
        "stamp": (TEXT, "mtime:<nanoseconds>, or etag:<what the bucket calls its content>"),
        "cut": (TEXT, "seconds of clips and hops, and what was done to know it"),
        "content": (TEXT, "SHA-256 of the bytes; etag:… where they were not all read; NULL: not readable"),
        "sample_rate": (COUNT, "samples per second; NULL: not readable"),
        "samples": (COUNT, "per channel; NULL: not readable"),
        "channels": (COUNT, "how many; NULL: not readable"),
        "peak": (NUMBER, "largest sample of a file of floating-point numbers; 0 for others"),
        "message": (TEXT, "why the file gives no clips; NULL: it does"),
        "silent": (TEXTS, "clips that are silent, as far as was listened"),
        "clipped": (TEXTS, "clips with samples at full scale, likewise"),
        "undecodable": (TEXTS, "clips that cannot be decoded, likewise"),
        "reasons": (TEXTS, "why, one for each of these"),
        "created_at": (TIME, "when it was read (UTC)"),
    },
)
