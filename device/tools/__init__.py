"""What an operator calls: each verb is a module, or a room, with its own `add_arguments` and `run`."""
