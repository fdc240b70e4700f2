-- Released migrations are never edited: a change is a new file, and only adds.
--
-- Every later schema keeps these columns and what they mean: id, format, token, expires_at_ms. A release reads
-- them even in records of a newer format, to refuse and to delete what it can't decode.

CREATE TABLE hapax_meta (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  schema_version INTEGER NOT NULL,
  -- Releases whose own version is lower must not touch this database.
  min_reader INTEGER NOT NULL,
  -- The largest time that any process has acted at.
  clock_ms REAL NOT NULL
) STRICT;

-- Times are REAL, so that no duration needs rounding. Large columns stand last: SQLite then finds the others
-- without walking through a body's overflow pages.
CREATE TABLE hapax_record (
  -- The order in which records are listed. Explicit, so that VACUUM does not renumber it.
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  format INTEGER NOT NULL,
  state TEXT NOT NULL,
  owner TEXT NOT NULL,
  token INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  expires_at_ms REAL NOT NULL,
  recovery TEXT NOT NULL,
  retain_ms REAL NOT NULL,
  retain_unknown_ms REAL NOT NULL,
  fingerprint TEXT,
  -- Running: when it was claimed. Completed: when it ended. Unknown: since when.
  since_ms REAL,
  lease_until_ms REAL,
  takeover INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  -- JSON: [key, scope].
  label TEXT,
  -- JSON: status, headers and trailers, or a tombstone.
  response TEXT,
  body BLOB
) STRICT;

CREATE INDEX hapax_record_expiry ON hapax_record (expires_at_ms);

INSERT INTO hapax_meta (only_row, schema_version, min_reader, clock_ms) VALUES (1, 1, 1, 0);
