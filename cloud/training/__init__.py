"""From healthy readings to a model image, and the gate that a new one must pass.

Importing this package or its modules loads no TensorFlow: only the functions that train and convert do.
"""
