"""``python -m camforge``."""

from camforge.cli import main

main()
