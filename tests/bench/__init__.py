"""`make bench` and `make soak`: what Vigie costs beside other tools, on the same texts, in one run."""
