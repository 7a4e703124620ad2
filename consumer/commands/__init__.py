"""
What the operator's commands do, beside running the service. `cli.py` parses and prints; each command is one module.

None of them writes to Kafka or makes a call that is billed, but for `offsets accept`, which commits, and `scan`, whose
calls are billed and which has nothing to do with Kafka.
"""
