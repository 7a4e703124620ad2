"""
Images, whoever judges them: what their URLs tell.
"""
