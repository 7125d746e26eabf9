"""The results of a replay: a page for people, tables for programs, and the explanation of a decision."""
