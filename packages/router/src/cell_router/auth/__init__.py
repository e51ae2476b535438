"""Who a client is: JWTs of configured issuers and API keys, answered from memory alone.

Nothing here fetches, reads or logs while a request waits; keys arrive by `refresher`'s thread.
"""
