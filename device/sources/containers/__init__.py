"""What the container of a sound file declares, and how much of it is present. Start reading at `detection`."""
