"""Linear probes: fits, out-of-fold scores, controls and verdicts."""
