"""`python -m consumer` is `moderation-consumer`."""

from consumer.cli import main

main()
