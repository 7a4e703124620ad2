"""`feedback`: people's decisions become verdicts, by the machinery that carries uploads, in a group of its own."""
