# The names that a cloud's module adds to the common environment. Whatever else the platform wants
# in there has a name of its own, neither CELL_* nor one of these.

locals {
  cloud_settings = {
    aws   = ["CELL_TABLE", "CELL_TRACING"]
    azure = ["AZURE_CLIENT_ID", "CELL_COSMOS_CONTAINER", "CELL_COSMOS_DATABASE", "CELL_COSMOS_ENDPOINT"]
  }

  our_settings = [
    for name in keys(var.environment) : name
    if startswith(name, "CELL_") || contains(flatten(values(local.cloud_settings)), name)
  ]
  own_settings = sort(setsubtract(local.our_settings, keys(local.contract_environment)))
}
