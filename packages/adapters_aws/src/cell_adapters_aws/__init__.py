"""A cell on AWS: Lambda and DynamoDB around `cell_core`; modules as in `cell_adapters_azure`."""
