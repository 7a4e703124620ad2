"""
Facts of providers, values only: the configuration is validated with them, and labels are looked up in them.
"""
