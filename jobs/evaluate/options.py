"""Options of an evaluation."""

from dataclasses import dataclass
from typing import Annotated

from jobs.evaluate.zero_shot import GivenPrompts
from jobs.execution import Execution
from jobs.option import Option, check_values
from pipelines.scorers.clap import POCKET, TEMPLATE
from store.errors import InvalidInput
from store.extensions import SCORERS

JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class EvaluateOptions(Execution):
    """What a user can say of an evaluation; see `undertone evaluate --help`."""

    store: str
    dataset: Annotated[
        str | None, Option("Score the clips of this dataset.", metavar="NAME", complete="datasets")
    ] = None
    generations: Annotated[
        str | None,
        Option(
            "Score the generations that this query names, for example "
            '"SELECT generation_id FROM generations".',
            metavar="SELECT",
        ),
    ] = None
    prompts: Annotated[
        GivenPrompts,
        Option(
            "A set of prompts, for example style=rock,jazz or tempo=slow:slow music,fast:fast music, where "
            "the words follow the class; or a .toml file with a table per concept. Can be given several "
            "times.",
            metavar="CONCEPT=CLASS,…",
        ),
    ] = ()
    template: Annotated[
        str,
        Option('Sentence that the words of each class are put into; "{}" leaves them as they are.'),
    ] = TEMPLATE
    clap: Annotated[
        str,
        Option(
            "CLAP model to score with: pocket, a hub name such as laion/clap-htsat-unfused, a "
            "folder of transformers, or a .pt file of laion-clap.",
            metavar="pocket|NAME|PATH",
        ),
    ] = POCKET
    judge: Annotated[
        bool,
        Option(
            "Also store the scores of the built-in judge of rendered music: style, instrument, drums, mode, "
            "tempo.",
        ),
    ] = False
    scorers: Annotated[
        tuple[str, ...],
        Option(
            "Also store the scores of this scorer for each sound: judge is the same as --judge; others are "
            "plug-ins. Can be given several times.",
            flag="--scorer",
            names=SCORERS,
        ),
    ] = ()

    def __post_init__(self) -> None:
        check_values(self)
        if (self.dataset is None) == (self.generations is None):
            raise InvalidInput(
                "Say what to score: --dataset NAME for the clips of a dataset, or --generations "
                '"SELECT generation_id FROM generations …"; not both.'
            )
        if not (self.prompts or self.sound_scorers):
            raise InvalidInput(
                "Say what to ask: --prompts CONCEPT=CLASS,CLASS,… for CLAP, --judge, --scorer NAME, or "
                "several of them."
            )

    @property
    def sound_scorers(self) -> tuple[str, ...]:
        """Those that were asked for, each once."""
        return tuple(dict.fromkeys([*([JUDGE] if self.judge else []), *self.scorers]))
