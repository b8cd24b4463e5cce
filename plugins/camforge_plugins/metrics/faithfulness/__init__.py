"""Metrics of faithfulness: does the network lose what the map points at?"""
