-- Accounts of other systems, and the tokens of programs: of each, the SHA-256 alone.
ALTER TABLE icu_accounts DROP CONSTRAINT icu_accounts_role_check;
ALTER TABLE icu_accounts ADD CONSTRAINT icu_accounts_role_check CHECK (
    role IN ('viewer', 'nurse', 'physician', 'charge', 'engineer', 'integration')
);
CREATE TABLE icu_tokens (
    id text PRIMARY KEY,
    key text NOT NULL REFERENCES icu_accounts ON DELETE CASCADE,
    digest text NOT NULL UNIQUE,
    label text NOT NULL,
    since_ms bigint NOT NULL,
    until_ms bigint NOT NULL
);
