"""The options that say where work runs and on what, spelled once for every command that works."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jobs.option import Option, check_values

Engine = Literal["ray", "inline"]
FitEngine = Literal["auto", "inline", "ray"]

Inline = Annotated[Engine, Option("Place of the work: ray, or inline in this process, without Ray.")]
Address = Annotated[
    str,
    Option(
        "Address of Ray: local starts a private one on this machine, auto joins the "
        "cluster of this node, or HOST:PORT."
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], Option("Device to compute on: auto takes a GPU where there is one.")
]
Backend = Annotated[
    Literal["audiocraft", "transformers"] | None,
    Option("Library that computes the model; by default the one whose format its files have."),
]
Dtype = Annotated[
    Literal["fp32", "bf16", "fp16"],
    Option("Number format of the language model; EnCodec always runs in fp32."),
]
StoreDtype = Literal["fp32", "fp16", "bf16", "int8"]
Roots = Annotated[
    tuple[str, ...],
    Option(
        "Where the audio of dataset NAME is on the machines that work: a folder or a URL.",
        flag="--root",
        metavar="NAME=PATH",
    ),
]


def resolved_device(device: str) -> str:
    """The device that "auto" means on this machine: "cuda" where there is a GPU, else "cpu"."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Where workers run that hold a model, and what each of them gets."""

    device: Device = "auto"
    engine: Inline = "ray"
    address: Address = "local"
    workers: Annotated[
        int | None,
        Option("Processes that hold a model; one per GPU or CPU core by default.", least=1),
    ] = None
    threads: Annotated[int, Option("Torch threads per worker.", least=1)] = 1
    gpus_per_worker: Annotated[
        float, Option("GPUs that each worker takes on Ray; with a fraction, workers share one.", least=0)
    ] = 1.0
    roots: Roots = ()
    shared_filesystem: Annotated[bool, Option("The store's folder is the same on every node.")] = False
    metrics_file: Annotated[
        Path | None,
        Option("Keep Prometheus metrics of the job in this file, for node_exporter's textfile collector."),
    ] = None

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitExecution:
    """Where tasks run that compute from stored numbers, and hold no model."""

    engine: Annotated[
        FitEngine,
        Option(
            "Place of the work: auto works in this process where that takes seconds, and on "
            "Ray where it takes longer."
        ),
    ] = "auto"
    address: Address = "local"
    workers: Annotated[int | None, Option("Tasks at once; as many as CPU cores by default.", least=1)] = None

    def __post_init__(self) -> None:
        check_values(self)
