"""Prices of processors, of a bucket's space and of its requests, for the bill before a run."""

from dataclasses import dataclass
from typing import Annotated

from jobs.option import Option, check_values

PRICE_LIST = (
    "examples of 2025 (AWS us-west-2: g6.xlarge, m7i per vCPU, S3 Standard), which change: look yours up"
)
"""Where the defaults come from: rounded list prices on demand of the machines that cluster.yaml asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars; the defaults are those of `PRICE_LIST`."""

    price_gpu_hour: Annotated[
        float, Option("Dollars per hour of a machine with one GPU, for --dry-run.", least=0)
    ] = 0.805
    price_cpu_hour: Annotated[
        float, Option("Dollars per hour of one CPU core, for --dry-run without a GPU.", least=0)
    ] = 0.0504
    price_gb_month: Annotated[
        float, Option("Dollars per month for 10⁹ bytes in a bucket, for --dry-run.", least=0)
    ] = 0.023
    price_1000_puts: Annotated[
        float, Option("Dollars per 1,000 PUT or LIST requests, for --dry-run.", least=0)
    ] = 0.005
    price_1000_gets: Annotated[
        float, Option("Dollars per 1,000 GET or HEAD requests, for --dry-run.", least=0)
    ] = 0.0004
    months: Annotated[float, Option("How long a bucket keeps the run, for --dry-run.", least=0)] = 12.0

    def __post_init__(self) -> None:
        check_values(self)

    def of_time(self, seconds: float, *, device: str, threads: int) -> float:
        """Dollars for this many seconds of one worker."""
        hour = self.price_gpu_hour if device == "cuda" else self.price_cpu_hour * threads
        return hour * seconds / 3600

    def of_requests(self, *, puts: float, gets: float) -> float:
        """Dollars for requests; a LIST costs what a PUT does, a HEAD what a GET does, a DELETE nothing."""
        return (puts * self.price_1000_puts + gets * self.price_1000_gets) / 1000

    def of_space(self, nbytes: float) -> float:
        """Dollars for keeping so many bytes for all the months."""
        return nbytes / 1e9 * self.price_gb_month * self.months
