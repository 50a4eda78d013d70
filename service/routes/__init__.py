"""Thin routes: parse, one call, shape."""
