"""Charts as functions of tables: each returns an Altair chart, which a notebook shows, changes and saves."""
