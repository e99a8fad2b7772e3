"""The REST API: what other programs see, ask and subscribe to, under `/v1`.

Every route is a row of one table (`routes/`), which says its method, path, role, query, body
and answer. The server checks requests by that row, and the OpenAPI document is made from it.
"""
