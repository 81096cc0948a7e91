"""What a node keeps on disk: its database and its content-addressed blobs."""
