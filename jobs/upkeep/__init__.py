"""Looking after a store: its runs, its datasets, its space."""
