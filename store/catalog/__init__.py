"""The DuckDB catalog: what it is made of, the views, and the locked process that answers SQL."""
