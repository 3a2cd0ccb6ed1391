"""Where answers go: JSON lines, events, annotated pictures and videos, masks."""
