"""How clips, backgrounds and rooms are mixed, for training, validation and evaluation."""
