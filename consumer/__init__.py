"""Reads upload events from Kafka, asks the provider about each image, publishes verdicts. Begin with `pipeline.py`."""
