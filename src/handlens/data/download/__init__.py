"""Pictures of keywords from open galleries, with their credits."""
