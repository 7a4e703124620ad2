"""
Images whose answer is known, asked about again and again: what shows that the provider still looks at what it should.

Vendor: each item that a service looks for can be switched off in the account's console. What is off is answered as
`nonLabel`, which is what a harmless image is answered as: only an image that is known to be bad shows the difference.
"""
