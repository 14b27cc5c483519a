"""k-means and how clusters agree with labels."""
