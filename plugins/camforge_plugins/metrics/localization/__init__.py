"""Metrics of localization: does the map lie on the object?"""
