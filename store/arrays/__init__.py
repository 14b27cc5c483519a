"""Arrays of activations as Zarr: plan, units, shards, commit markers, reading, verification."""
