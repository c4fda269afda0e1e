"""The demo, the gallery, and what they share with the tests and the benchmarks: toolchain, running service."""
