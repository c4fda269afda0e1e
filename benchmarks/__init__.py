"""The figures of the contract's Speed table, measured: python -m benchmarks."""
