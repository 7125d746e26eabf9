"""From the transitions of alarms to the receipts of journal, broker and other sinks."""
