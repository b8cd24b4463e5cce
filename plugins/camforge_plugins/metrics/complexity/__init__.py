"""Metrics of complexity: does the map say little enough to be read?"""
