"""`python -m consumer` is `moderation-consumer`."""

from consumer.start import main

main()
