"""The live page: a photograph, a model, methods and targets; maps at once. Served to this machine alone."""
