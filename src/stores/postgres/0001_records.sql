-- Released migrations are never edited: a change is a new file, and only adds.
--
-- Every later schema keeps these columns and what they mean: id, format, token, expires_at. A release reads
-- them even in records of a newer format, to refuse and to delete what it can't decode.
--
-- Runs inside a block of PL/pgSQL, with the schema as search_path: no bare SELECT, no CONCURRENTLY.

CREATE TABLE hapax_meta (
  only_row boolean PRIMARY KEY CHECK (only_row),
  schema_version integer NOT NULL,
  -- Releases whose own version is lower must not touch these tables.
  min_reader integer NOT NULL
);

-- Texts are ASCII: what is not stands there as a JSON string, since a database may have any encoding, and none
-- takes a NUL. Collation "C" also outlives an upgrade of the system's collations, after which an index on
-- another one may no longer find a key.
CREATE TABLE hapax_record (
  id text COLLATE "C" PRIMARY KEY,
  -- The fencing token.
  token bigint NOT NULL,
  -- When the record came into its state. Running: when it was claimed.
  since timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  lease_until timestamptz,
  retain_ms double precision NOT NULL,
  retain_unknown_ms double precision NOT NULL,
  attempt integer NOT NULL,
  status integer,
  format smallint NOT NULL,
  failed boolean NOT NULL DEFAULT false,
  -- Somebody waits, or did: changes are worth a notification.
  watched boolean NOT NULL DEFAULT false,
  state text COLLATE "C" NOT NULL,
  recovery text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  -- One digest each, as kind:digest. What takes part in no comparison begins with a space.
  fingerprint text[] COLLATE "C",
  -- What a running record took over from. After a failure, the failure's answer stands there until the end.
  takeover text COLLATE "C",
  label_key text COLLATE "C",
  label_scope text COLLATE "C",
  -- Name, value, name, value.
  headers text[] COLLATE "C",
  trailers text[] COLLATE "C",
  -- Why an answer was not kept, of which only status and location remain.
  tombstone text COLLATE "C",
  location text COLLATE "C",
  body bytea,

  -- A newer format has its own rules.
  CONSTRAINT hapax_record_is_whole CHECK (
    format <> 1
    OR coalesce(
      state IN ('running', 'released', 'completed', 'unknown')
      AND recovery IN ('refuse', 'reconcile', 'rerun')
      AND (fingerprint IS NOT NULL OR state = 'released')
      AND (lease_until IS NOT NULL) = (state = 'running')
      AND (takeover IS NULL OR state = 'running' AND takeover IN ('lapsed', 'unknown', 'released', 'failed'))
      AND (NOT failed OR state = 'completed')
      AND CASE
        WHEN state = 'completed' OR takeover = 'failed'
        THEN status IS NOT NULL AND (
          tombstone IS NULL AND headers IS NOT NULL AND body IS NOT NULL AND location IS NULL
          AND cardinality(headers) % 2 = 0 AND coalesce(cardinality(trailers), 0) % 2 = 0
          OR tombstone IN ('too-large', 'cut-short', 'not-serializable', 'store-refused')
          AND headers IS NULL AND trailers IS NULL AND body IS NULL
        )
        ELSE num_nonnulls(status, headers, trailers, tombstone, location, body) = 0
      END,
      false
    )
  )
);

CREATE INDEX hapax_record_expiry ON hapax_record (expires_at);

INSERT INTO hapax_meta (only_row, schema_version, min_reader) VALUES (true, 1, 1);
