"""The mathematics of sweeps: from trials and scores to effects with intervals, damage and a choice."""
