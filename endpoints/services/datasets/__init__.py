"""Files to train on: kept under the hash of their content, read by a worker, used again by later runs."""
