"""Execution of units of work anywhere: tasks, the driver's state machine, pools with or without Ray."""
