"""Publishes to an MQTT broker and receives commands: connection, session, send queue, command filter, client."""
