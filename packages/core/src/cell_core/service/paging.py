"""Cut pages alike: DynamoDB ends one at 1 MB, Cosmos DB at 4 MB, core before both."""

from cell_core.domain.documents import Page

PAGE_BYTES_MAX = 700_000
"""With keys and attributes of 1000 documents still below 1 MB, and far below Lambda's 6 MB."""


def cut(page: Page) -> Page:
    """Return the first documents of `page` that stay below the limit; at least one."""
    total = 0
    for count, document in enumerate(page.documents):
        total += len(document.body.encode())
        if count and total > PAGE_BYTES_MAX:
            return Page(page.documents[:count], page.documents[count - 1].key)
    return page
