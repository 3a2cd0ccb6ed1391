"""What builds the models and the clip that ship, from the data they were made of: README.md says how."""
