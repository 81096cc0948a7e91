"""What f2fbuild promises about speed, measured: `python -m benchmarks.NAME`."""
