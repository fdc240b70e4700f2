-- The steps of a handler that may run again, in the order in which they began: their names, and beside them the texts
-- of src/stores/encoding/steps.ts.

ALTER TABLE hapax_record ADD COLUMN step_names text[] COLLATE "C";
ALTER TABLE hapax_record ADD COLUMN step_texts text[] COLLATE "C";
ALTER TABLE hapax_record ADD CONSTRAINT hapax_record_has_whole_steps CHECK (
  cardinality(step_names) IS NOT DISTINCT FROM cardinality(step_texts)
);

UPDATE hapax_meta SET schema_version = 2;
