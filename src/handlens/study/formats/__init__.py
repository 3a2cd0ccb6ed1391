"""One file for each format that coding programs read and write; what they share is in `coding`."""
