"""Rows that a generator writes where coverage is thin, and what they go through before they may be used."""
