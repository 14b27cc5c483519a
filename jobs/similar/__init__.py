"""The parts of `undertone similar`: exact search in a layer, and an index of cells that is kept."""
