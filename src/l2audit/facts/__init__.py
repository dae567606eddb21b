"""What must hold exactly, or is known from print: one registry of facts, put to the project's own code.

- `fact`: the form of a check, and the registry
- `code`, `normalisation`, `prior`: facts that settle claims of the thread by calculation
- `ridge`, `logistic`, `networks`: theory, put to the exact solvers, the contaminations and the networks
- `published`: numbers in print
- `lists`: identities and oracles, the two lists that the workflow writes
"""
