"""The parts of `undertone extract`: options, plan, worker, report."""
