"""Measurements of the service beside a bare loop, and the quick provider that both of them ask."""
