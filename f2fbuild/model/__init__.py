"""The vocabulary: frozen values, canonical encodings, signatures."""
