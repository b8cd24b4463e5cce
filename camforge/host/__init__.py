"""How plugins are found, checked, named and described."""
