"""Metrics of robustness: does the map stay where the image hardly changes?"""
