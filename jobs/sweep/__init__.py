"""The parts of `undertone sweep`: expand → fit → find strengths → trials → generate → score → effects."""
