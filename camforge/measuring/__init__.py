"""What metrics may ask of a model, and metrics of any model in one call."""
