"""Progress of long work: jobs report it in one way, and a terminal, a log or a function receives it."""
