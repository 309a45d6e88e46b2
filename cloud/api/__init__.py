"""The HTTP interface: one file per resource, answers as typed models, errors as one sentence."""
