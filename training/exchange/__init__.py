"""The corpus in the formats of annotation tools, out and in, without loss."""
