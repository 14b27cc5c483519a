"""`undertone evaluate`: score clips or generations with CLAP and the judge."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option
from jobs.evaluate.options import EvaluateOptions
from jobs.terminal.results import print_result


@click.command()
@click.argument("store")
@options_of(EvaluateOptions)
@format_option
def evaluate(format_: str, **values: Any) -> int:
    """Score clips or generations with zero-shot CLAP: a softmax over the prompts of each set.

    Audio is embedded once per CLAP. Embeddings are kept (view embeddings), so that further prompts need no
    audio, and an evaluation that was stopped goes on where it was. Scores go to the view evaluations, one row
    per item, class and measure: probability and cosine.

    \b
    Examples:
      undertone evaluate music.store --dataset songs \\
        --prompts style=rock,jazz,classical,electronic
      undertone evaluate music.store \\
        --generations "SELECT generation_id FROM generations WHERE steered" \\
        --prompts style=rock,jazz \\
        --prompts "instrument=flute:a flute,piano:a piano" --judge
      undertone evaluate music.store --dataset songs --prompts prompts.toml \\
        --clap laion/clap-htsat-unfused
    """
    from jobs.evaluate.running import run_evaluation, scorings

    options = EvaluateOptions(**values)
    summary = run_evaluation(options)
    print_result(summary, format_)
    return 1 if any(part["failed"] for part in scorings(summary, options).values()) else 0
