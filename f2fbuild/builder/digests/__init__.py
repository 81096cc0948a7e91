"""Digests of products, recomputed from the bytes of hostile files."""
