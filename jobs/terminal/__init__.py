"""What commands show: tables, text that is safe for a terminal, a clock."""
