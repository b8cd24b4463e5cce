"""How the networks run that maps are extracted from."""
