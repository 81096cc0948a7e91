"""What is peculiar to each package format: its plan from source to products."""
