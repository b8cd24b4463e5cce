"""Metrics of randomization: does the map change with the network and with the class?"""
