"""OSM in, AreaMap out: the only room that knows OSM tags or the network."""
