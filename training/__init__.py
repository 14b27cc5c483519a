"""Trainings of the models that ship: run from a checkout, and no part of the wheel."""
