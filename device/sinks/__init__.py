"""Deliver alarms, state and notices: to MQTT, GPIO pins, the console, a log, clips. They decide nothing."""
