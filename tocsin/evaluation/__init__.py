"""How good the detection is: published protocols run through the deployed code (docs/evaluation.md)."""
