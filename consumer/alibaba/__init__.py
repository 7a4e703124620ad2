"""
Alibaba Cloud's Image Moderation: its wire, signatures, keys and codes. All that acts and knows the vendor.

`image_moderation.py` is request and answer of the 2.0 API, `client.py` one call of it, `codes.py` what failures mean.
"""
