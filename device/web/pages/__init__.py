"""What stands on the pages: values for their templates, and the templates, style sheet and script."""
