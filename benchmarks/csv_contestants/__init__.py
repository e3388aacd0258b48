"""What takes part in `csv_to_table`: each file is a script, run as a process of its own."""
