"""From an experiment file to a checked Experiment: every mistake in one report, with its place."""
