"""Who may look, and who may command: accounts, logins and their bounds."""
