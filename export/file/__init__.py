"""A .tflite file as data: what is in it, what it costs, and how files are written."""
