"""Start the explorer: a page of this machine alone, behind a token."""
