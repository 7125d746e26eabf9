"""What a collection holds and what is doubtful in it, before anybody trains on it: the verb `describe`."""
