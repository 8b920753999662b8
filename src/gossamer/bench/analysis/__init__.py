"""``gossamer analyze``: why a trained network learned as it did, from its run's folder to tables and figures."""
