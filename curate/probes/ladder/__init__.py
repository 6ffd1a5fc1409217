"""The probes, cheapest first. A probe is one file that ends in `PROBE = Probe(...)`; see `curate.probes.probe`."""
