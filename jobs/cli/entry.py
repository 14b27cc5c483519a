"""Entry point of the `undertone` command: handles Ctrl-C before anything else is imported."""

import _signal  # type: ignore[import-not-found]  # `signal` takes milliseconds, for the names of its enum
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130


def main() -> "NoReturn":
    """Run the command line; until its own handler stands, Ctrl-C ends the process at once and quietly.

    What comes before this line is Python's own start, of some ten milliseconds, whose trace of a Ctrl-C
    no program can prevent.
    """
    _signal.signal(_signal.SIGINT, _leave)
    from jobs.cli.interruption import listen
    from jobs.cli.main import main as run

    try:
        listen()
        run()
    except KeyboardInterrupt:  # between the handler and the command's own
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _leave(_number: int, _frame: "FrameType | None") -> None:
    """Nothing was begun yet; an exception in the middle of an import would be told as another error."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
