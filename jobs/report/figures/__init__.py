"""Figures of a report, a module each: a statement, a chart of its answer, and a caption."""
