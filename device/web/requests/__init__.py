"""What a request passes before any page of ours answers it: bounds, the gate, logins and headers."""
