"""The errors a caller may catch; each also inherits the builtin one would catch anyway."""


class UndertoneError(Exception):
    """Base of every error whose message is written for the user: value, legal choices, cure."""


class InvalidInput(UndertoneError, ValueError):
    """A value the user gave is not legal."""


class NotFound(UndertoneError, LookupError):
    """A dataset, run, clip, layer or file that was named does not exist."""


class MissingRows(UndertoneError, LookupError):
    """Rows were asked for that no commit marker vouches for (not computed yet, or failed)."""


class CorruptData(UndertoneError, OSError):
    """Stored or read bytes disagree with their checksum, length or format."""


class AudioError(UndertoneError, ValueError):
    """A recording could not be decoded to the clip that was asked for."""


class Conflict(UndertoneError, RuntimeError):
    """Another process owns what this call wanted to change, or wrote something else there first."""


class UnsupportedStore(UndertoneError, RuntimeError):
    """The storage back-end lacks a guarantee the commit protocol needs (conditional PUT)."""


class ModelError(UndertoneError, RuntimeError):
    """A model cannot be loaded or does not support what was asked of it."""


class QueryRefused(UndertoneError, RuntimeError):
    """A SQL statement failed, was not allowed, or ran out of time."""


class StorageError(UndertoneError, OSError):
    """The storage could not take or give bytes: disk full, no permission, network gone."""


class CatalogWarning(UserWarning):
    """What a store lacks, told beside an answer of SQL that does not need it."""


class JobFailed(UndertoneError, RuntimeError):
    """A job cannot go on; what is committed stays committed."""
