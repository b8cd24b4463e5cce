"""Maps in one call: explain() and its Explanation."""
