"""Draw the clips of a layer as a map, pick some of them, hear them, and hand the map to other programs."""
