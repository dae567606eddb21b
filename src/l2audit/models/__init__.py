"""What is trained: architectures, layers, losses, penalties and optimizers, each a registry of small items."""
