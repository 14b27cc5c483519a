"""Compare layers of one or two runs of the same clips."""
