"""A network of breath sounds whose windows are drawn anew at every step: targets, drawing, changes, fit."""
