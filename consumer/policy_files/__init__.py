"""
A policy's files as the service takes them: read whole, tried by their tests, and read again when they change.
"""
