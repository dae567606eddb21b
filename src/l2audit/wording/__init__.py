"""Verdicts in words: numbers with their units, phrases, sentences, tables of text."""
