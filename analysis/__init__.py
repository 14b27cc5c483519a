"""Pure functions of arrays: no disk, no Ray, no pretrained models."""
