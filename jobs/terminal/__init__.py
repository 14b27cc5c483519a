"""Output of commands: tables, text that is safe for a terminal, a clock."""
