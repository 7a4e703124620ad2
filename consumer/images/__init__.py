"""
Images, for any provider: what their URLs say.
"""
