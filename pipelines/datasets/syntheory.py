"""SynTheory (Wei et al. 2024, github.com/brown-palm/syntheory): a folder per concept with `info.csv`.

`chords/info.csv` has a row per rendered WAV beside it. Tempos and time signatures are rendered once
and cut into excerpts at several offsets, which `offset_file_path` names.
"""

from collections.abc import Iterator

from pipelines.audio.files import Root
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from pipelines.datasets.tables import Row, opened_text, read_table
from store.errors import InvalidInput
from store.records import Failure, Label, Recording

CONCEPTS = ("chords", "chord_progressions", "intervals", "notes", "scales", "tempos", "time_signatures")
CLIP_SECONDS = 4.0
NOTES = (
    "SynTheory has no split. Groups are instruments, for tempos and time signatures the rendering that "
    "excerpts were cut from, so that no fold tests on an instrument or a rendering it was fitted on."
)
_RENDERED, _EXCERPT = "synth_file_path", "offset_file_path"
_NO_LABELS = (_RENDERED, _EXCERPT, "midi_file_path", "synth_soundfont")


def list_recordings(root: Root, member: str = "", say: Say = in_silence) -> Iterator[Recording | Failure]:
    """Every row of every concept's info.csv; its columns are labels, with `concept` added."""
    for concept in concept_folders(root, member):
        for row in read_table(root, f"{concept}/info.csv" if concept else "info.csv", say):
            yield _recording(root, concept, row)


def concept_folders(root: Root, member: str = "") -> list[str]:
    """Folders with an info.csv: the root itself ("") or those below it."""
    candidates = [member, *(f"{member}/{name}" if member else name for name in root.folders(member))]
    found = [name for name in candidates if root.exists(f"{name}/info.csv" if name else "info.csv")]
    if not found:
        raise InvalidInput(
            f"{root.url} has no info.csv in it or in a folder of it; SynTheory has one in each of "
            f"{', '.join(CONCEPTS)}."
        )
    return found


def _recording(root: Root, concept: str, row: Row) -> Recording:
    name = row.get(_EXCERPT) or row.get(_RENDERED)
    if not isinstance(name, str):
        raise InvalidInput(
            f"{concept}/info.csv is not SynTheory's: it has neither a column {_RENDERED} nor {_EXCERPT}."
        )
    labels: dict[str, Label] = {"concept": concept or root.url.rpartition("/")[2]}
    labels |= {column: value for column, value in row.items() if column not in _NO_LABELS}
    instrument = row.get("midi_program_name")
    group = instrument if instrument is not None else f"{labels['concept']}/{row.get(_RENDERED)}"
    return Recording(f"{concept}/{name}" if concept else name, group=str(group), labels=labels)


def _is_syntheory(root: Root, member: str) -> bool:
    tables = [f"{name}/info.csv" if name else "info.csv" for name in ("", *CONCEPTS)]
    return not member and any(root.exists(name) and _first_line_names_audio(root, name) for name in tables)


def _first_line_names_audio(root: Root, name: str) -> bool:
    with opened_text(root, name) as text:
        return _RENDERED in text.readline()


FORMAT = Format("syntheory", list_recordings, _is_syntheory, CLIP_SECONDS, NOTES)
