"""What must hold exactly, or is known from print: identities and oracles."""
