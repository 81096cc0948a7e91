"""`python -m f2fbuild`."""

from f2fbuild.cli.main import main

main()
