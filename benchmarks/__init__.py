"""Side-by-side measurements against the peers; each module prints one JSON object."""
