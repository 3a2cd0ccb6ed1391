"""How training pictures are changed."""
