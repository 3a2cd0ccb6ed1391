"""Source data, cut-out hands and composites that several recipes share."""
