"""How it is trained: exact solvers, stacked dense networks, convolutional networks; one interface hides which."""
