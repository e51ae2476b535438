#!/usr/bin/env bash
# Publish PACKAGE to the Function App APP in GROUP, as whoever is signed in to the Azure CLI.
# It refuses to leave a connection string behind: identities are the only way into storage.
set -euo pipefail

command -v az >/dev/null || {
  echo "The Azure CLI (az) publishes packages: install it and sign in, or set azure_publish = false." >&2
  exit 1
}

az functionapp config appsettings delete --only-show-errors --output none \
  --resource-group "$GROUP" --name "$APP" --setting-names AzureWebJobsStorage
az functionapp deployment source config-zip --only-show-errors --output none \
  --resource-group "$GROUP" --name "$APP" --src "$PACKAGE"

left=$(az functionapp config appsettings list --only-show-errors \
  --resource-group "$GROUP" --name "$APP" --query "[?name=='AzureWebJobsStorage'] | length(@)")
if [[ "$left" != 0 ]]; then
  echo "$APP still has AzureWebJobsStorage: the Functions host would use it instead of its identity." >&2
  exit 1
fi
