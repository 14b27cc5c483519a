"""Code that `probe`, `kmeans` and `directions` share: labels, layers, tasks on one thread, progress."""
