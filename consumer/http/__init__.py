"""
HTTP to a provider, whoever it is: connections through their proxies, how a call went, and bounded answers.
"""
