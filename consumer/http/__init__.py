"""
HTTP to any provider: connections through their proxies, how a call went, and bounded answers.
"""
