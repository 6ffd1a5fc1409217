"""One file a generator, each with `GENERATOR`."""
