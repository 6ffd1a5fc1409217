"""Compiled loops (numba, cached on disk). Import these modules inside functions: importing one loads numba."""
