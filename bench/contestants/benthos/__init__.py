"""Benthos 4, in one Go program with an input and an output on franz-go."""
