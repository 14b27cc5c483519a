"""How units of work run anywhere: tasks, the driver's state machine, and pools with or without Ray."""
