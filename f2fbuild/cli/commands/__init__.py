"""One module for each noun or daily verb of the command line."""
