"""The parts of `undertone evaluate`: what is heard, by whom, and the scores that follow."""
