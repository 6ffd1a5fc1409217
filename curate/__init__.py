"""Curate turns a pile of fine-tuning examples into the subset, order and weights worth training on, and proves that it was worth it."""

import os

__version__ = "0.1.0"

for _name, _value in {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}.items():
    os.environ.setdefault(_name, _value)  # before any library reads it
