"""Suites: lists of experiments told as one table, the papers' numbers beside the measured ones."""
