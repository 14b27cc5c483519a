"""The `undertone` command: parse, call one job, print. Commands are imported only when they are called."""

import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from jobs.cli.interruption import leave
from jobs.cli.unforeseen import report_of, sentence_of, trace_of, was_interrupted
from jobs.progress import logs
from jobs.progress.reporters import LogReporter, StreamReporter
from jobs.progress.reporting import reporting_to
from jobs.terminal import waiting
from jobs.terminal.text import for_people, tell

COMMANDS = {
    "demo": ("jobs.cli.demo", "Show everything on a small rendered dataset, from its audio to a report."),
    "dataset": ("jobs.cli.dataset", "Add, render, list, show, remove and rename datasets."),
    "run": ("jobs.cli.run", "List, show, remove and tag runs."),
    "extract": ("jobs.cli.extract", "Stream a dataset through a model and store its activations."),
    "kmeans": ("jobs.cli.kmeans", "Cluster every layer's activations and compare the clusters with labels."),
    "probe": ("jobs.cli.probe", "Fit linear probes for any labels on every layer of a run."),
    "similar": ("jobs.cli.similar", "Find the clips that are nearest to one clip at a layer."),
    "map": ("jobs.cli.map", "Draw the clips of a layer as a map, for other programs."),
    "compare": ("jobs.cli.compare", "Compare layers of one or two runs of the same clips."),
    "directions": ("jobs.cli.directions", "Fit directions that tell classes apart, at every layer."),
    "generate": ("jobs.cli.generate", "Generate music, steered along stored directions or not."),
    "sweep": ("jobs.cli.sweep", "Steer by every setting of a grid, and measure what it does."),
    "listen": ("jobs.cli.listen", "Ask people what they hear in a sweep, and compare it with CLAP."),
    "report": ("jobs.cli.report", "Draw what was found in every layer, as one HTML file."),
    "explore": ("jobs.cli.explore", "See, hear and steer what a store holds, in a browser."),
    "vectors": ("jobs.cli.vectors", "List, compare, export and import stored directions."),
    "evaluate": ("jobs.cli.evaluate", "Score clips or generations with CLAP and the judge."),
    "status": ("jobs.cli.status", "Show every run of a store, or one run in detail."),
    "verify": ("jobs.cli.verify", "Read everything again and compare it with its checksums."),
    "repair": ("jobs.cli.repair", "Withdraw what is damaged, so that it is made again."),
    "upgrade": ("jobs.cli.upgrade", "Bring a store of an older version up to date."),
    "du": ("jobs.cli.du", "Show what takes space in a store."),
    "gc": ("jobs.cli.gc", "Remove litter, and caches that can be made again."),
    "sql": ("jobs.cli.sql", "Query the store's catalog with SQL."),
    "convert": ("jobs.cli.convert", "Write a model in the other checkpoint format."),
}

EXIT_FAILED = 1


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on first use."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; `--traceback` shows the trace of whatever it raises."""
        try:
            if ctx.params["log_format"] == "json":
                logs.begin_json()
            with reporting_to(LogReporter() if logs.logging_now().json else StreamReporter()):
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            if ctx.params["traceback"]:
                click.echo(trace_of(error), err=True, nl=False)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), cmd_name.replace("-", "_"))
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that is meant; an unknown one is told with the nearest known."""
        if args and args[0] not in COMMANDS and (near := get_close_matches(args[0], COMMANDS, 1)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="undertone")
@click.option(
    "--traceback", is_flag=True, envvar="UNDERTONE_TRACEBACK",
    help="Show the trace of an error (before the command's name); UNDERTONE_TRACEBACK=1 does so too.",
)  # fmt: skip
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", envvar=logs.VARIABLE,
    help="Format of standard error (before the command's name): json logs an object per "
"line, with run and unit.",
)  # fmt: skip
def undertone(traceback: bool, log_format: str) -> None:
    """An activation store for MusicGen: extract, verify and query what its layers hold.

    \b
    Examples:
      undertone demo demo
      undertone dataset add music.store songs ~/Music/by-genre
      undertone extract music.store songs --model facebook/musicgen-small
      undertone sql music.store "SELECT run_id, clips, complete FROM runs"
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; exit 0 on success, 1 on a failure, 2 on wrong usage, 130 or 143 when stopped."""
    if logs.is_wanted():
        logs.begin_json()
    run(undertone, "undertone", arguments)


@for_people
def run(command: click.Command, program: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command by its own options; every error of it is a sentence and a status."""
    try:
        result = command.main(args=arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.Exit as exit_request:
        sys.exit(exit_request.exit_code)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        leave(_say_interrupted)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_FAILED)
    except Exception as error:  # noqa: BLE001 — the one place where whatever else went wrong becomes a line
        if was_interrupted(error):
            leave(_say_interrupted)
        tell(f"Error: {sentence_of(error) or report_of(error)}")
        sys.exit(EXIT_FAILED)
    finally:
        logs.end_json()
    sys.exit(result if isinstance(result, int) else 0)


def _say_interrupted() -> None:
    waiting.end()
    tell("Interrupted. What was committed stays; run the same command again to go on.")
    logs.end_json()


if __name__ == "__main__":
    main()
