"""What the demo, the tests and the benchmarks share: the Go toolchain, baking, and a running service."""
