"""`undertone evaluate`: score clips or generations with CLAP and the judge."""

from typing import Any

import click

from jobs.cli.completion import complete_datasets
from jobs.cli.extension_names import ExtensionName
from jobs.cli.options import (
    address_option,
    device_option,
    engine_option,
    format_option,
    gpus_per_worker_option,
    model_workers_option,
    print_result,
    root_option,
    shared_filesystem_option,
    threads_option,
)
from store.extensions import SCORERS


@click.command()
@click.argument("store")
@click.option(
    "--dataset", metavar="NAME", shell_complete=complete_datasets, help="Score the clips of this dataset.",
)  # fmt: skip
@click.option(
    "--generations",
    metavar="SELECT",
    help='Score the generations that this query names, for example "SELECT generation_id FROM generations".',
)
@click.option(
    "--prompts",
    multiple=True,
    metavar="CONCEPT=CLASS,…",
    help="A set of prompts, for example style=rock,jazz or tempo=slow:slow music,fast:fast music, where the "
    "words follow the class; or a .toml file with a table per concept. Can be given several times.",
)
@click.option(
    "--template",
    default="This is a sound of {}.",
    show_default=True,
    help='What the words of each class are put into; "{}" leaves them as they are.',
)
@click.option(
    "--clap",
    default="pocket",
    show_default=True,
    metavar="pocket|NAME|PATH",
    help="pocket, a hub name such as laion/clap-htsat-unfused, a folder of transformers, or a .pt file of "
    "laion-clap.",
)
@click.option(
    "--judge",
    is_flag=True,
    help="Also store what the built-in judge hears in rendered music: style, instrument, drums, mode, tempo.",
)
@click.option(
    "--scorer", "scorers", multiple=True, type=ExtensionName(SCORERS),
    help="Also store what this scorer says of each sound: judge is the same as --judge; others are "
    "plug-ins. Can be given several times.",
)  # fmt: skip
@device_option
@engine_option
@address_option
@model_workers_option
@threads_option
@gpus_per_worker_option
@root_option
@shared_filesystem_option
@format_option
def evaluate(format_: str, **values: Any) -> int:
    """Score clips or generations with zero-shot CLAP: a softmax over the prompts of each set.

    Audio is heard once per CLAP. Its embeddings are kept (view embeddings), so that further prompts need no
    audio, and an evaluation that was stopped goes on where it was. Scores go to the view evaluations, one row
    per item, class and measure: probability and cosine.

    \b
    Examples:
      undertone evaluate music.store --dataset songs --prompts style=rock,jazz,classical,electronic
      undertone evaluate music.store --generations "SELECT generation_id FROM generations WHERE steered" \\
        --prompts style=rock,jazz --prompts "instrument=flute:a flute,piano:a piano" --judge
      undertone evaluate music.store --dataset songs --prompts prompts.toml --clap laion/clap-htsat-unfused
    """
    from jobs.evaluate.options import EvaluateOptions
    from jobs.evaluate.running import hearings, run_evaluation

    options = EvaluateOptions(**values)
    summary = run_evaluation(options)
    print_result(summary, format_)
    return 1 if any(part["failed"] for part in hearings(summary, options).values()) else 0
