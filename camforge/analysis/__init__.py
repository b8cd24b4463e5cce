"""What one asks of a finished run: export, oracle, sanity."""
