"""Adapters on a causal language model: what is read of rows, what its lower layers make of them once, steps of training, and the slopes of single rows."""
