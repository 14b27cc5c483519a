"""How far long work is: jobs say it in one way, and whoever asked is told: a terminal, a log, a function."""
