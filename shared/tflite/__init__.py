"""Models that others made: .tflite files read without TensorFlow, as the layers of a model image."""
