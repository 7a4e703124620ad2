"""
What answers lead to: a policy is read, and decides.
"""
