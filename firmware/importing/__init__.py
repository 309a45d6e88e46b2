"""Models that others made: a .tflite file becomes a model image, and either is told layer by layer."""
