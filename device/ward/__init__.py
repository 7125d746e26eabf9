"""`auricle ward`: reads any number of daemons from a broker, and shows which beds hear and which alarms are open."""
