"""The parts of `undertone listen`: trials, sounds, the page, and the ratings that come back."""
