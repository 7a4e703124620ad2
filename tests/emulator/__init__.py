"""The emulator, tested by clients that it does not know: the official SDK, and requests signed by the SDK's code."""
