"""What `watch` keeps and offers beside the alarm: settings, history, calibration, early warning, start at login.

Nothing here may delay the loop: what writes does so in a thread of its own.
"""
