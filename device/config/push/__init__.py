"""The settings of `auricle push`: whom it notifies, and who watches from outside."""
