"""Write the made parts of reference/cli.md and reference/hooks.md anew: ``python docs/tools/refresh.py``."""

from tables import DOCS, MADE, refreshed

if __name__ == "__main__":
    for page in MADE:
        (DOCS / page).write_text(refreshed(page))
