"""What the workflow and the command line call: jobs, hashes, checks, provenance."""
