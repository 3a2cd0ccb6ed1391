"""Picture files of any kind as RGB arrays."""
