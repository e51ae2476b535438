"""The limits of the contract: the intersection of what both clouds allow (protocol.md 3).

DynamoDB takes 100 operations and 4 MB in one transaction and 400 KB an item; Cosmos DB takes 100
operations, 2 MB and 5 s in one batch. Core enforces the smaller of each, with room, before any
store is asked, so that no request can succeed on one cloud and fail on the other.
"""

OPERATIONS_MAX = 90
COMMIT_BYTES_MAX = 1_500_000
"""As sent: bodies are text inside JSON, so their quotes count twice (`canonical.sent_bytes`)."""

DOCUMENT_BYTES_MAX = 350 * 1024

REQUEST_BYTES_MAX = 64 * 1024
BUNDLE_BYTES_MAX = 1024 * 1024
CONTROL_REQUEST_BYTES_MAX = 4 * 1024 * 1024
"""Journal entries on their way to a standby; 30 of them, each at most DOCUMENT_BYTES_MAX, but
together at most this."""

JSON_DEPTH_MAX = 16
INTEGER_MAX = 2**53 - 1
"""Cosmos DB keeps numbers as IEEE doubles and rounds larger integers silently."""

ENTITY_BYTES_MAX = 32 * 1024
EVENT_BYTES_MAX = 16 * 1024
COMMAND_ENTITIES_MAX = 10
COMMAND_EVENTS_MAX = 10
BATCH_COMMANDS_MAX = 20
BATCH_ENTITIES_MAX = 40
BATCH_EVENTS_MAX = 40
BUNDLE_ENVELOPES_MAX = 30

READ_KEYS_MAX = 100
"""Documents in one read: DynamoDB's BatchGetItem takes 100."""

PAGE_MAX = 1000
APPLY_ENTRIES_MAX = 30
IMPORT_DOCUMENTS_MAX = 80
"""With the fence, one atomic write."""
