"""
Tell subscribers of uploads that have no answer for too long.

`due.py` decides which ones and how many, `provisional.py` publishes. What an image's verdict will be is not known here.
"""
