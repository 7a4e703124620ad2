"""
The vendor's 1.0 scan API, version 2018-05-09: one image, many scenes, a suggestion for each.

    tasks.py: what is asked ──► client.py: sign, send ──► answers.py: what was answered ─► codes.py: or why not

`answers.py` reads a task of `/green/image/scan` and one of `/green/image/results` alike.
"""
