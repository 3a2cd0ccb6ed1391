"""Sets that the shipped models learn from, made of photographs, cut-out hands and rendered ones; it knows no nets."""
