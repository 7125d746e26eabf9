"""What people and programs reach over HTTP, in processes of their own beside the daemon. Start at `web_command`."""
