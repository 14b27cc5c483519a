"""The stages of the training in their order; each leaves files, and none runs again once they are whole."""

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.acceleration.freed_memory import keep_freed_memory
from store.errors import InvalidInput
from training.pocket.clips import Part
from training.pocket.codec_evaluation import evaluate_codec
from training.pocket.codec_stages import train_encoder, train_jointly
from training.pocket.coded_clips import encode_corpus, encode_long_clips
from training.pocket.corpus import open_corpus, render_corpus
from training.pocket.decoder_stage import finished_codec, frozen_codec, train_decoder
from training.pocket.export import export_codec, export_language_model
from training.pocket.language_stage import finished_language_model, train_language_model
from training.pocket.recipe import Recipe
from training.pocket.recognizer import load_recognizer, train_recognizer
from training.pocket.scorer_stage import clap_stage, judge_stage, measure_scorers
from training.pocket.workers import run_workers

RECIPE_FILE = "recipe.txt"


@dataclass(frozen=True, slots=True)
class Training:
    """A training's folder and recipe."""

    folder: Path
    recipe: Recipe

    @property
    def corpus(self) -> Path:
        """Rendered clips."""
        return self.folder / "corpus"

    @property
    def codec(self) -> Path:
        """Checkpoints and losses of the codec's stages."""
        return self.folder / "codec"

    @property
    def language(self) -> Path:
        """Codes, checkpoints and losses of the language model."""
        return self.folder / "language"

    @property
    def checkpoint(self) -> Path:
        """The trained model, as `--model` takes it."""
        return self.folder / "checkpoint"


def corpus(training: Training) -> None:
    """Render all clips."""
    recipe = training.recipe
    sizes: Mapping[Part, int] = {
        "train": recipe.train_clips,
        "validation": recipe.validation_clips,
        "test": recipe.test_clips,
        "unseen": recipe.unseen_clips,
    }
    for part, clips in sizes.items():

        def tell(done: int, part: Part = part, clips: int = clips) -> None:
            recipe.codec.here.tell(f"corpus {part}", done, clips, {})

        render_corpus(training.corpus, part, clips, tell=tell)


def recognizers(training: Training) -> None:
    """Train the network that helps to train the decoder, and the one that measures the codec."""
    recipe, clips = training.recipe, open_corpus(training.corpus, "train")
    for name, settings in (("listener", recipe.listener), ("recognizer", recipe.recognizer)):
        path = training.folder / f"{name}.pt"
        if not path.exists():
            torch.save(train_recognizer(clips, settings).state_dict(), path)


def codec(training: Training) -> None:
    """Encoder, then codebooks; after this the codes are frozen."""
    training.codec.mkdir(exist_ok=True)
    for task in (train_encoder, train_jointly):
        arguments = (training.codec, training.corpus, training.recipe.codec)
        run_workers(task, *arguments, workers=training.recipe.workers)


def codes(training: Training) -> None:
    """Encode what the language model learns from."""
    training.language.mkdir(exist_ok=True)
    frozen, _ = frozen_codec(training.codec)
    for part in ("train", "validation", "test"):
        encode_corpus(training.language / f"codes-{part}.npy", frozen, open_corpus(training.corpus, part))
    encode_long_clips(training.language / "codes-long.npy", frozen, training.recipe.long_clips)


def decoder(training: Training) -> None:
    """Train the decoder on frozen codes."""
    keep_freed_memory()
    listener = load_recognizer(training.folder / "listener.pt")
    train_decoder(training.codec, training.corpus, listener, training.recipe.decoder)


def language_model(training: Training) -> None:
    """Train the language model and its text encoder."""
    keep_freed_memory()
    train_language_model(training.language, training.recipe.language)


def decoder_and_language_model(training: Training) -> None:
    """Both at once, where there are two workers: neither needs the other."""
    tasks = (decoder, language_model)
    if training.recipe.workers == 1:
        for task in tasks:
            task(training)
        return
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_alone, args=(task, training)) for task in tasks]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    failed = [task.__name__ for task, process in zip(tasks, processes, strict=True) if process.exitcode]
    if failed:
        raise RuntimeError(f"{' and '.join(failed)} stopped with an error, shown above.")


def export(training: Training) -> None:
    """Write the checkpoint."""
    heard_through, model = finished_codec(training.codec), finished_language_model(training.language)
    training.checkpoint.mkdir(exist_ok=True)
    export_codec(training.checkpoint, heard_through)
    export_language_model(training.checkpoint, model)


def evaluation(training: Training) -> None:
    """Measure the codec on held-out clips: `codec-quality.json`."""
    network, recipe = load_recognizer(training.folder / "recognizer.pt"), training.recipe
    tuned = finished_codec(training.codec)
    parts: Sequence[Part] = ("test", "unseen")
    measured: list[dict[str, Any]] = [
        evaluate_codec(
            tuned, network, open_corpus(training.corpus, part), clips=recipe.evaluated_clips
        ).to_json()
        for part in parts
    ]
    (training.folder / "codec-quality.json").write_text(json.dumps(measured, indent=2) + "\n")


def scorers(training: Training) -> None:
    """Train and measure pocket-clap and the judge."""
    heard_through, settings = finished_codec(training.codec), training.recipe.scorers
    folder, clap, judge = (training.folder / name for name in ("scorers", "pocket-clap", "judge.safetensors"))
    clap_stage(folder, heard_through, clap, settings)
    judge_stage(folder, heard_through, judge, settings)
    measure_scorers(folder, heard_through, clap, judge, clips=settings.test_clips)


STAGES: Mapping[str, Callable[[Training], None]] = {
    "corpus": corpus,
    "recognizers": recognizers,
    "codec": codec,
    "codes": codes,
    "models": decoder_and_language_model,
    "export": export,
    "evaluation": evaluation,
    "scorers": scorers,
}


def claim_folder(folder: Path, recipe: str) -> None:
    """Make a training's folder, or check that this recipe began the one that is there.

    Raises:
        InvalidInput: Another recipe left files, whose codes and shapes would not go together with new ones.
    """
    note = folder / RECIPE_FILE
    if not folder.exists() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{recipe}\n", encoding="utf-8")
    elif not note.exists():
        raise InvalidInput(f"{folder} is not empty, and holds no training by this recipe. Give a new folder.")
    elif (begun := note.read_text(encoding="utf-8").strip()) != recipe:
        raise InvalidInput(
            f"{folder} was begun as {begun!r}, not {recipe!r}: say the same, or give a new folder."
        )


def run_stages(training: Training, names: Sequence[str]) -> None:
    """Run stages by name, in the order of `STAGES`."""
    claim_folder(training.folder, training.recipe.name)
    for name, stage in STAGES.items():
        if name in names:
            try:
                stage(training)
            except FileNotFoundError as error:
                if not Path(error.filename or "").is_relative_to(training.folder):
                    raise
                raise InvalidInput(
                    f"Stage {name} needs {error.filename}, which an earlier one leaves: run all."
                ) from error


def _alone(task: Callable[[Training], None], training: Training) -> None:
    torch.set_num_threads(1)
    task(training)
