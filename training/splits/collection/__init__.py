"""The split of any collection, yours or a publisher's: by subject, balanced, checked by ear; the verb `split`."""
