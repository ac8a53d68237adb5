"""The parts of the report page: its data, words and charts."""
