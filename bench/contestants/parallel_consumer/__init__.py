"""Confluent's Parallel Consumer 0.5, on the JVM."""
