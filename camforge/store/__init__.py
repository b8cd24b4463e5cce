"""Finished stages, kept under a hash of everything that determines them."""
