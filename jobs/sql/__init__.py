"""The interactive shell of `undertone sql`."""
