"""Ctrl-C in the middle of a fit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store.arrays.verification import verify
from store.opening import Store

ROOT = Path(__file__).parents[3]
STYLE = "SELECT clip_id, style FROM clips WHERE style <> 'ambient'"
PROGRAM = """
import sys, time
from jobs.cli.main import main
from jobs.probe import running

fit_task, started = running.fit_task, []

def fit_slowly(plan, task):
    started.append(task)
    if len(started) == 2:
        print("second layer", flush=True)
        time.sleep(3)
    return fit_task(plan, task)

running.fit_task = fit_slowly
main(sys.argv[1:])
"""


def test_ctrl_c_ends_with_exit_code_130_and_what_was_fitted_stays(planted: Store) -> None:
    arguments = ["probe", planted.url, "songs", "--labels", STYLE, "--no-handcrafted", "--controls", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, "--engine", "inline", "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "second layer\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "run the same command again to go on" in errors
    assert not verify(planted.run("songs"))
    assert not [path for path in Path(planted.url).glob(".temporary/**/*") if path.is_file()]
    options = ProbeOptions(planted.url, "songs", STYLE, engine="inline", handcrafted=False, controls=2)
    again = probe_run(options)
    assert (again.fitted, again.known) == (1, 1)
