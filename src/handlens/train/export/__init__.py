"""A trained network as an ONNX file that carries its card."""
