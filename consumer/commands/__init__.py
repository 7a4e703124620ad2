"""
What the operator's commands do, beside running the service. `cli.py` parses and prints; each command is one module.

None of them writes to Kafka, commits, or makes a call that is billed.
"""
