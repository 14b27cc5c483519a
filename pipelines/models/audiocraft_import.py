"""Import audiocraft without its side effects: warnings, downloads, and the import of laion_clap.

It imports laion_clap, which loads three tokenizers and without a network retries for minutes; xformers and
torchvision warn about compiled parts that MusicGen does not use; and building a melody model downloads the
stem separator demucs, which only an audio melody needs.
"""

import atexit
import gc
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch

from pipelines.models.hub import hub_folder
from pipelines.models.text_encoder_files import load_tokenizer
from store.errors import ModelError

SEPARATOR = "adefossez/HTDemucs"
"""Where demucs 4.1 takes its weights from."""
SEPARATOR_FILES = ("htdemucs.yaml", "955717e8.safetensors")


def import_audiocraft() -> None:
    """Import `audiocraft.models` quietly and without laion_clap; later calls cost nothing.

    Nothing is garbage in the meantime, and at the end of the process nobody needs its memory: looking for
    garbage among the half million objects would take as long as a third of the import.
    """
    if "audiocraft.models" in sys.modules:
        return
    logging.getLogger("xformers").setLevel(logging.ERROR)
    with _hidden_module("laion_clap"), _without_garbage_collection(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import audiocraft.models  # noqa: F401
    atexit.register(gc.freeze)


@contextmanager
def quiet_construction() -> Iterator[None]:
    """While modules are built: no warnings, no progress bars, no trace in torch's random state."""
    import_audiocraft()
    from transformers.utils import logging as transformers_logging

    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            yield
    finally:
        if had_bars:
            transformers_logging.enable_progress_bar()


def register_text_encoder(path: str, width: int) -> None:
    """Let audiocraft's T5 conditioner accept a folder; it knows only a list of published names."""
    import_audiocraft()
    from audiocraft.modules.conditioners import T5Conditioner

    if path not in T5Conditioner.MODELS:
        T5Conditioner.MODELS.append(path)
    T5Conditioner.MODELS_DIMS[path] = width


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@contextmanager
def _hidden_module(name: str) -> Iterator[None]:
    """Make `import name` raise ImportError inside the block, and leave no trace of it."""
    absent = object()
    before: Any = sys.modules.get(name, absent)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is absent:
            del sys.modules[name]
        else:
            sys.modules[name] = before


class _AbsentStemSeparator:
    """Stands in for demucs, whose weights would be downloaded and whose output we never use."""

    sources = ("drums", "bass", "other", "vocals")

    def to(self, device: object) -> "_AbsentStemSeparator":
        return self

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ModelError(
            "A melody needs the stem separator, which is loaded by `ConditionEncoder.encode_melody`."
        )


def load_stem_separator(device: Any) -> Any:
    """The stem separator of the melody models, from the caches of the hub or of torch, or the network.

    Raises:
        ModelError: Its weights are neither here nor to be had.
    """
    from demucs import pretrained

    if not _former_separator().is_file():  # demucs itself would try for minutes where there is no network
        try:
            hub_folder(SEPARATOR, SEPARATOR_FILES)
        except ModelError as error:
            raise ModelError(f"A melody needs the stem separator htdemucs. {error}") from error
    try:
        return pretrained.get_model("htdemucs").to(device).eval()
    except (OSError, RuntimeError, ValueError, SystemExit) as error:
        raise ModelError(
            f"A melody needs the stem separator htdemucs, which cannot be had ({type(error).__name__}). "
            f"With a network: python -c \"from demucs.pretrained import get_model; get_model('htdemucs')\""
        ) from error


def _former_separator() -> Path:
    """Where earlier versions of demucs keep its weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / "955717e8-8726e21a.th"


@contextmanager
def any_tokenizer() -> Iterator[None]:
    """While a model is built: its T5 conditioner takes a tokenizer of any class from its folder."""
    import_audiocraft()
    from audiocraft.modules import conditioners

    original = conditioners.T5Tokenizer
    conditioners.T5Tokenizer = _AnyTokenizer
    try:
        yield
    finally:
        conditioners.T5Tokenizer = original


class _AnyTokenizer:
    @staticmethod
    def from_pretrained(folder: str) -> Any:
        return load_tokenizer(Path(folder))


@contextmanager
def without_stem_separator() -> Iterator[None]:
    """While a melody model is built: a stand-in for demucs, which fails loudly should it ever be used."""
    from demucs import pretrained

    original = pretrained.get_model
    pretrained.get_model = lambda *_, **__: _AbsentStemSeparator()
    try:
        yield
    finally:
        pretrained.get_model = original
