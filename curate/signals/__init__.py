"""One file a signal; `curate.signal.discover` walks this folder."""
