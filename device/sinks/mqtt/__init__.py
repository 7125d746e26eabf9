"""Publishes to an MQTT broker: connection, session, send queue, client."""
