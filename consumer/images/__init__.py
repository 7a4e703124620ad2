"""Images and the addresses they are fetched from: what may be fetched, what it is, and what its URL says."""
