"""Figures of cries and screams: alarms found, late, false, by level and by the hour."""
