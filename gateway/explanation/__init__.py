"""Why an alarm is one: which channel, since when, which line of a bearing, like which earlier alarm.

Everything here is pure and is computed when an alarm begins, or grows, not reading by reading (docs/explanation.md).
"""
