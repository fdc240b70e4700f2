-- JSON: the steps of a handler that may run again, in the order in which they began.
ALTER TABLE hapax_record ADD COLUMN steps TEXT;

UPDATE hapax_meta SET schema_version = 2;
