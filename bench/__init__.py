"""
Measurements of the service: beside a bare loop, at its limits, and when things break.

What they share with the tests is `tests/rig`; nothing else of the tests is imported here.
"""
