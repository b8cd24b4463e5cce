"""The contracts are tried on broken plugins in a pytest inside pytest."""

pytest_plugins = ["pytester"]
