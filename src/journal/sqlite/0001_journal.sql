-- Released migrations are never edited: a change is a new file, and only adds.

CREATE TABLE hapax_journal_meta (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  schema_version INTEGER NOT NULL,
  -- Releases whose own version is lower must not touch these tables.
  min_reader INTEGER NOT NULL
) STRICT;

-- One head for each key. Times are REAL, so that no duration needs rounding.
CREATE TABLE hapax_journal (
  id TEXT PRIMARY KEY,
  -- The fencing token of the last attempt that was let in.
  token INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  keep_until_ms REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX hapax_journal_expiry ON hapax_journal (keep_until_ms);

CREATE TABLE hapax_step (
  -- The order in which the steps began. Explicit, so that VACUUM does not renumber it.
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  token INTEGER NOT NULL,
  -- JSON.
  step TEXT NOT NULL,
  UNIQUE (id, name)
) STRICT;

INSERT INTO hapax_journal_meta (only_row, schema_version, min_reader) VALUES (1, 1, 1);
