"""Faster passes that compute the same; UNDERTONE_PLAIN=1 turns all of it off."""
