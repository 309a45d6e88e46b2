"""From the broker to the store: nothing lost that a gateway still holds, nothing stored twice."""
