"""The parts of `undertone directions` and `vectors`: contrasts, fits, stored directions, files."""
