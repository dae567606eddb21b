"""One shard, from a prepared dataset to its file of runs: contaminate, train, evaluate, write."""
