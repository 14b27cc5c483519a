"""Verbs: what a user runs. The only folder that knows Ray and opens stores."""
