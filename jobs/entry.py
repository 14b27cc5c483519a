"""Where the command begins: Ctrl-C is handled before anything heavy is imported."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line; until its own handler stands, Ctrl-C ends the process at once and quietly."""
    signal.signal(signal.SIGINT, _leave)
    from jobs.cli import main as run
    from jobs.interruption import listen

    listen()
    run()
    sys.exit(0)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Nothing was begun yet; an exception in the middle of an import would be told as another error."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
