"""group -> train -> extract -> fuse -> measure -> report: one stage, one file."""
