"""Curate turns a pile of fine-tuning examples into the subset, order and weights worth training on, and proves that it was worth it."""

__version__ = "0.1.0"
