-- Who may sign in with a password. `key` is the name without its case.
CREATE TABLE icu_accounts (
    key text PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL
        CHECK (role IN ('viewer', 'nurse', 'physician', 'charge', 'engineer')),
    hash text NOT NULL CHECK (hash LIKE '$argon2id$%'),
    stamp text NOT NULL,
    since_ms bigint NOT NULL
);
