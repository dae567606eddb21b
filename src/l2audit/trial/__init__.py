"""The judge on trial: simulated studies of known truth, calibration, power."""
