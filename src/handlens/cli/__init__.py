"""The command line, one file per verb; importing it must not load numpy, cv2, av or onnxruntime."""

from handlens.cli.app import app, main, run

__all__ = ["app", "main", "run"]
