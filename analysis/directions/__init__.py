"""Directions: methods, penalties, and how well they separate held-out rows."""
