"""The workbench: data, models, one plain training loop, recipes and comparisons."""
