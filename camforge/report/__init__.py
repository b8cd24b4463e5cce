"""The pages and tables of experiments, suites, papers and plugins."""
