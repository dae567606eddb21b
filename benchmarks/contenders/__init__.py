"""One module a contender; each is a program of its own, which `benchmarks.processes` starts and asks for work."""
