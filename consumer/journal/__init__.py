"""
The outputs as memory: what is published there need not be paid for or published again.
"""
