"""The parts of `undertone kmeans`: what is clustered, Lloyd's passes near and far, rows that follow."""
