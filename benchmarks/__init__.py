"""Measures the figures of the Speed table in docs/contract.md: python -m benchmarks."""
