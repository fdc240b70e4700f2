-- Released migrations are never edited: a change is a new file, and only adds.
--
-- Runs inside a block of PL/pgSQL, with the schema as search_path: no bare SELECT, no CONCURRENTLY.

CREATE TABLE hapax_journal_meta (
  only_row boolean PRIMARY KEY CHECK (only_row),
  schema_version integer NOT NULL,
  -- Releases whose own version is lower must not touch these tables.
  min_reader integer NOT NULL
);

-- One head for each key. Texts are ASCII: what is not stands there as a JSON string, since a database may have any
-- encoding. Collation "C" outlives an upgrade of the system's collations.
CREATE TABLE hapax_journal (
  id text COLLATE "C" PRIMARY KEY,
  -- The fencing token of the last attempt that was let in.
  token bigint NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  keep_until timestamptz NOT NULL
);

CREATE INDEX hapax_journal_expiry ON hapax_journal (keep_until);

-- No foreign key: it would lock the head of a key for as long as a transaction runs, before its last statement.
CREATE TABLE hapax_step (
  id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  token bigint NOT NULL,
  began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- JSON.
  step text COLLATE "C" NOT NULL,
  PRIMARY KEY (id, name)
);

INSERT INTO hapax_journal_meta (only_row, schema_version, min_reader) VALUES (true, 1, 1);
