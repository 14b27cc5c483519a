"""Linear methods behind probes and directions: moments, ridge, logistic regression, choice of penalties."""
