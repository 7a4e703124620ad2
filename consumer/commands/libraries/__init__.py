"""`libraries`: the account's libraries as a file says."""
