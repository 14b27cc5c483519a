"""Options of an extraction."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from jobs.execution import Backend, Device, Dtype, Execution, StoreDtype
from jobs.option import Option
from pipelines.models.backends import with_backend
from pipelines.models.own_code import NamedModel, with_own_code
from store.errors import InvalidInput
from store.extensions import MODELS

DEFAULT_MODEL = "pocket"
DEFAULT_SITES = "resid,attn,mlp"


@dataclass(frozen=True, slots=True)
class ExtractOptions(Execution):
    """What a user can say of an extraction; see `undertone extract --help`."""

    store: str
    dataset: str
    model: Annotated[
        str,
        Option(
            "Model to run: pocket, a hub name such as facebook/musicgen-small, a folder in audiocraft's "
            "format or that of transformers (an audio encoder, too), or a plug-in's name.",
            names=MODELS,
            others=("PATH", "facebook/…"),
            free=True,
        ),
    ] = DEFAULT_MODEL
    backend: Backend = None
    sites: Annotated[
        str, Option("Sites to store, of embed, resid, attn, head, xattn, mlp; all: those that the model has.")
    ] = DEFAULT_SITES
    layers: Annotated[str, Option("Layers by number: all, 0,5,11 or 4-7.")] = "all"
    reduce: Annotated[str, Option("Reductions over time to store, of mean, std, last, segments, frames.")] = (
        "mean"
    )
    segments: Annotated[int, Option("Bins over time for --reduce segments.", least=1)] = 10
    text: Annotated[
        str,
        Option(
            'Text condition, with labels in braces: "a {instrument} solo". Empty by default.',
            metavar="TEMPLATE",
        ),
    ] = ""
    melody: Annotated[
        Path | None,
        Option("Recording whose melody conditions every clip; for models that take one, as its text does."),
    ] = None
    melody_column: Annotated[
        str,
        Option(
            "Label whose values are paths, below the dataset's root, of a melody for each clip; empty ones "
            "are none.",
            metavar="NAME",
        ),
    ] = ""
    dtype: Dtype = "fp32"
    batch_clips: Annotated[
        int,
        Option(
            "Clips per forward pass. Part of a run's identity, since sums depend on it in the last bits.",
            least=1,
        ),
    ] = 16
    unit_clips: Annotated[
        int | None,
        Option(
            "Clips per unit, at most: what a crash can cost. Part of a run's identity; by default as an "
            "existing run has it, else up to 1024, by number and bytes of the clips. Of long recordings "
            "fewer, so that units end with one.",
            least=1,
        ),
    ] = None
    compression: Annotated[
        Literal["none", "zstd"],
        Option("Compression of the stored arrays; activations hardly compress, and reading gets slower."),
    ] = "none"
    store_dtype: Annotated[
        StoreDtype,
        Option(
            "Number format of stored frames (means and the like are fp32); int8 has a scale per clip, layer "
            "and channel."
        ),
    ] = "fp16"
    retry_failed: Annotated[bool, Option("Try the clips that failed once more.")] = False
    max_failures: Annotated[
        int | None,
        Option(
            "Stop once more clips than this failed; by default when half of the clips fail, and at least 50.",
            least=0,
        ),
    ] = None
    _: KW_ONLY
    device: Annotated[
        Device,
        Option(
            "Device to compute on: auto takes a GPU where there is one; say cuda for a "
            "cluster whose GPU nodes are yet to start."
        ),
    ] = "auto"
    workers: Annotated[
        int | None,
        Option(
            "Processes that hold a model; one per GPU or CPU core by default. On a cluster that scales, say "
            "how many you want.",
            least=1,
        ),
    ] = None
    threads: Annotated[
        int,
        Option("Torch threads per worker. Part of a run's identity, like the batch.", least=1),
    ] = 1

    model_file: Annotated[
        Path | None,
        Option(
            "A file of Python that describes a torch module of yours (MODEL = TorchModel(…)) instead of "
            "--model. It is run, on every machine that works."
        ),
    ] = None
    trust_remote_code: Annotated[
        bool,
        Option("Run the code that lies beside the weights of the model, where its folder needs some."),
    ] = False

    @property
    def named_model(self) -> NamedModel:
        """The model, what computes it where that was said, and whose code is run."""
        if self.model_file is not None and (self.model != DEFAULT_MODEL or self.backend):
            raise InvalidInput("--model-file is the model: leave out --model and --backend.")
        named = with_backend(self.model, self.backend)
        return with_own_code(named, self.model_file, trust_remote_code=self.trust_remote_code)
