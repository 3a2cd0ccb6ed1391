"""Darknet .cfg and .weights: YOLOv3 and its relatives."""
