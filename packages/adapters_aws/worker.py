"""The zip's entry point: Lambda calls `worker.handler`. It decides nothing."""

from cell_adapters_aws.bootstrap import bootstrap

handler = bootstrap()
