"""Who may see and do what: roles, accounts, sign-in, sessions and their audit trail.

Shared by every process that people talk to; knows no web framework.
"""
