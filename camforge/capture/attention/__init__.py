"""The self-attention of transformers: found in any library's networks, read and differentiated in the one pass."""
