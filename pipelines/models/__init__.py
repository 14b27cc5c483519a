"""Models: checkpoints, loading, conditions and the MusicGen adapter."""
