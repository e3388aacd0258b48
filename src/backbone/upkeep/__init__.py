"""What a run does about its tables besides its own work: damaged logs, small files, old versions."""
