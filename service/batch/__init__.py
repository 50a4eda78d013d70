"""Score a file of any supported format, row by row, in order, in bounded memory."""
