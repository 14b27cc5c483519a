"""The parts of `undertone dataset`: adding, rendering, and where audio lies on this machine."""
