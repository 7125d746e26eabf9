"""Sound from elsewhere than a sound card: streams of cameras and servers, and standard input."""
