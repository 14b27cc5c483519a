"""Entry point of `python -m training.pocket`."""

from jobs.cli.main import run
from training.pocket.command import train_pocket

if __name__ == "__main__":
    run(train_pocket, "python -m training.pocket")
