"""Maintenance of stores: inspection, repair, removal, upgrade, and what takes space."""
