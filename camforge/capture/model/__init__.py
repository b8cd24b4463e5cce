"""A model as a pass finds it and gives it back: what it is made of, and borrowing it."""
