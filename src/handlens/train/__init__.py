"""Training: the only rooms where torch may be imported; nothing outside may import from here."""
