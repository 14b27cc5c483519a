"""The parts of `undertone kmeans`: clusterings to compute, iterations on all workers, and result rows."""
