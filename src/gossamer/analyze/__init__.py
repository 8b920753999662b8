"""What a sparse network is and costs."""
