-- The same conditions as before. The server reads the text of a condition anew for each statement, which took longer
-- than to insert the row; a function it reads once for a connection.

CREATE FUNCTION hapax_record_is_whole(format smallint, state text, recovery text, fingerprint text[],
  lease_until timestamptz, takeover text, failed boolean, status integer, headers text[], trailers text[],
  tombstone text, location text, body bytea, step_names text[], step_texts text[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $whole$
BEGIN
  RETURN cardinality(step_names) IS NOT DISTINCT FROM cardinality(step_texts) AND (
    -- A newer format has its own rules.
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
  );
END
$whole$;

-- Who may write to the table may call it, also where new functions are nobody's.
GRANT EXECUTE ON FUNCTION hapax_record_is_whole TO PUBLIC;

ALTER TABLE hapax_record DROP CONSTRAINT hapax_record_is_whole;
ALTER TABLE hapax_record DROP CONSTRAINT hapax_record_has_whole_steps;
-- Rows of before fulfil it: they need not be read for that, which would hold up all requests for as long.
ALTER TABLE hapax_record ADD CONSTRAINT hapax_record_is_whole CHECK (
  hapax_record_is_whole(format, state, recovery, fingerprint, lease_until, takeover, failed, status, headers, trailers,
    tombstone, location, body, step_names, step_texts)
) NOT VALID;

UPDATE hapax_meta SET schema_version = 3;
