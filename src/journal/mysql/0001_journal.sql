-- Released migrations are never edited: a change is a new file, and only adds.
--
-- Each statement may be run again, since MySQL can't undo a change of a schema. A semicolon at the end of a line ends
-- one.

CREATE TABLE IF NOT EXISTS hapax_journal_meta (
  only_row TINYINT PRIMARY KEY,
  schema_version INT NOT NULL,
  -- Releases whose own version is lower must not touch these tables.
  min_reader INT NOT NULL
) ENGINE = InnoDB;

-- One head for each key. Ids and names are bytes, since a text equals another that has more spaces at its end.
CREATE TABLE IF NOT EXISTS hapax_journal (
  id VARBINARY(500) NOT NULL PRIMARY KEY,
  -- The fencing token of the last attempt that was let in.
  token BIGINT NOT NULL,
  fingerprint VARBINARY(1000) NOT NULL,
  keep_until DATETIME(6) NOT NULL,
  KEY hapax_journal_expiry (keep_until)
) ENGINE = InnoDB;

-- No foreign key: it would lock the head of a key for as long as a transaction runs, before its last statement. No
-- AUTO_INCREMENT: one step that waits for its head would lock the whole table.
CREATE TABLE IF NOT EXISTS hapax_step (
  id VARBINARY(500) NOT NULL,
  name VARBINARY(2500) NOT NULL,
  token BIGINT NOT NULL,
  began_at DATETIME(6) NOT NULL,
  -- JSON in ASCII.
  step MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (id, name)
) ENGINE = InnoDB;

INSERT IGNORE INTO hapax_journal_meta (only_row, schema_version, min_reader) VALUES (1, 1, 1);
