"""The parts of `undertone sweep`: grid, plan, generation, scores, effects."""
