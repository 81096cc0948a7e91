"""The face: commands that parse, ask the node and render."""
