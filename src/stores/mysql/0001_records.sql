-- Released migrations are never edited: a change is a new file, and only adds.
--
-- Each statement may be run again, since MySQL can't undo a change of a schema. A semicolon at the end of a line ends
-- one.
--
-- Every later schema keeps these columns and what they mean: id_hash, revision, format, state, token, expires_at_ms. A
-- release reads them even in records of a newer format, to refuse and to delete what it can't decode.

CREATE TABLE IF NOT EXISTS hapax_record_meta (
  only_row TINYINT PRIMARY KEY,
  schema_version INT NOT NULL,
  -- Releases whose own version is lower must not touch these tables.
  min_reader INT NOT NULL
) ENGINE = InnoDB;

-- Everything is bytes or a number: a text equals another that differs in case, in accents, or in spaces at its end.
-- Times are milliseconds of UTC by the server's clock.
CREATE TABLE IF NOT EXISTS hapax_record (
  -- SHA-256 of the id, which may be of any length.
  id_hash BINARY(32) NOT NULL PRIMARY KEY,
  -- Another one after each write: what is written names the one that it replaces.
  revision VARBINARY(32) NOT NULL,
  format INT NOT NULL,
  state VARBINARY(16) NOT NULL,
  -- The fencing token.
  token BIGINT NOT NULL,
  lease_until_ms BIGINT,
  expires_at_ms BIGINT NOT NULL,
  -- JSON in ASCII, the id first; all but the body of the answer.
  detail LONGBLOB NOT NULL,
  body LONGBLOB,
  KEY hapax_record_expiry (expires_at_ms)
) ENGINE = InnoDB;

INSERT IGNORE INTO hapax_record_meta (only_row, schema_version, min_reader) VALUES (1, 1, 1);
