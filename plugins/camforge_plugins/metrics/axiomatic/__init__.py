"""Metrics of axioms: does the map keep what a formula promises?"""
