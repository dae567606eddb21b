"""Compiled training programs of networks: many models at once, one program per shape."""
