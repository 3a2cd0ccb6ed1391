"""`python -m handlens` is `handlens`; it must not do anything else."""

from handlens.cli import main

main()
