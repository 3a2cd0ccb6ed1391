"""How the shipped hand net is made: `run.sh`."""
