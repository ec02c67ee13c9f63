"""The ego-centred tile, from the map and from a cloud, through one TileGrid."""
