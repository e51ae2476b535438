"""The zip's entry point: the Functions host reads `app`. It decides nothing."""

from cell_relay_azure.bootstrap import bootstrap

app = bootstrap()
