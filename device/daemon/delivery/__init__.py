"""From the changes of alarms to the receipts of journal, broker and other sinks."""
