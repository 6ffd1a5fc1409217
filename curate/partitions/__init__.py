"""Links of more rows than one process holds, in stages: files → tasks → files. Every task writes its files whole and does nothing where they are there.

rows → sets of n-grams, shard by shard → classes of equal sets, by ranges of their hash → MinHash keys (`shard`) → buckets, by bands and ranges of keys →
verified pairs → ranges of pairs in order (`bucket`) → forests, merged as a tree (`tree`) → scores and Links (`whole`).
What comes out is, byte for byte, what the signal's `compute` gives in one process. Workers share the folder's disk; arrays are mapped from it, not held.
"""
