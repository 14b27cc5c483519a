"""The training of `pocket`, its CLAP and its judge, from rendered music: `python -m training.pocket DIR`."""
