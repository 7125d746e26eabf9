"""The reference that starts from AudioSet: the published network's layout, its weights, and its forms."""
