"""The edge: gathers sensors over MQTT, judges them by models that learn online, raises alarms, stores and forwards."""
