"""`python -m jobs.cli` is `undertone`."""

from jobs.cli.main import main

main()
