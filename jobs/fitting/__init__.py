"""The parts of `probe`, `kmeans` and `directions`: labels, rows, moments, results."""
