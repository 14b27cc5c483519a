"""Find and read generated sounds: the record of the rows about a sound, or one of its own, names it."""

from threading import Lock

from store.errors import CorruptData, NotFound
from store.objects.ledger import RECORDS, Entry, read_entry, read_record, recorded_name
from store.objects.protocol import ObjectStore

FOLDER = "audio"
_PLACES = (f"{RECORDS}/results/generations", f"{RECORDS}/{FOLDER}")
_known: dict[str, "_Index"] = {}
_guard = Lock()


class _Index:
    """The sounds that the records of one store name; only records that are new are read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._versions: dict[str, str] = {}
        self._named: dict[str, tuple[Entry, ...]] = {}
        self._entries: dict[str, Entry] = {}

    def find(self, objects: ObjectStore, key: str) -> Entry | None:
        """The entry of a sound, looked for anew where it is not known."""
        with self._lock:
            if key not in self._entries:
                self._refresh(objects)
            return self._entries.get(key)

    def keys(self, objects: ObjectStore) -> set[str]:
        """Every sound that a record names now."""
        with self._lock:
            self._refresh(objects)
            return set(self._entries)

    def forget(self) -> None:
        """Read all records again when next asked."""
        with self._lock:
            self._versions, self._named, self._entries = {}, {}, {}

    def _refresh(self, objects: ObjectStore) -> None:
        versions = {key: version for place in _PLACES for key, version in objects.versions(place)}
        kept = {key: self._named[key] for key, version in versions.items() if self._same(key, version)}
        for key in versions.keys() - kept.keys():
            try:
                kept[key] = read_record(objects, recorded_name(key)).entries
            except NotFound:  # withdrawn since it was listed
                continue
        self._versions, self._named = versions, kept
        self._entries = {
            entry.key: entry for named in kept.values() for entry in named if entry.key.startswith(FOLDER)
        }

    def _same(self, key: str, version: str) -> bool:
        return key in self._named and self._versions.get(key) == version


def sound_keys(objects: ObjectStore) -> set[str]:
    """Keys of all sounds that exist."""
    return _index(objects).keys(objects)


def has_sound(objects: ObjectStore, key: str) -> bool:
    """Whether a record names this sound."""
    return _index(objects).find(objects, key) is not None


def read_sound_file(objects: ObjectStore, key: str) -> bytes:
    """The file of a sound, checked.

    Raises:
        NotFound: no record names it.
        CorruptData: it is damaged or gone.
    """
    index = _index(objects)
    entry = index.find(objects, key)
    if entry is None:
        raise NotFound(f"There is no {objects.url}/{key}: no record of a generation names it.")
    try:
        return read_entry(objects, entry)
    except CorruptData:
        index.forget()  # it may have been withdrawn and made again since
        renewed = index.find(objects, key)
        if renewed is None or renewed == entry:
            raise
        return read_entry(objects, renewed)


def _index(objects: ObjectStore) -> _Index:
    with _guard:
        return _known.setdefault(objects.url, _Index())
