/** Each statement by name. Every value is text, whatever a library would make of a number, and is cast here. */
export type Statements = ReturnType<typeof statementsFor>

/** An identifier of Postgres, quoted. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function statementsFor(schema: string) {
  const journal = `${quoteIdentifier(schema)}.hapax_journal`
  const step = `${quoteIdentifier(schema)}.hapax_step`
  const headColumns = `j.token::text, j.fingerprint, (j.keep_until < clock_timestamp())::text`
  const keepUntil = `clock_timestamp() + ${number('$4')} * interval '1 millisecond'`
  // Shared, so that the steps of one lease do not block each other. In READ COMMITTED it waits for an opening under way
  // and then sees its token; in a stricter isolation it fails.
  const fence = `SELECT 1 FROM ${journal} WHERE id = ${text('$1')} AND token = ${integer('$2')} FOR SHARE`
  const written = `SELECT ${text('$1')}, ${text('$3')}, ${integer('$2')}, ${text('$4')} FROM fence`

  // set_config comes first, as the insertion draws its row from it: it bounds the wait for the head.
  const insertion = `
      WITH bound AS MATERIALIZED (SELECT set_config('lock_timeout', ${text('$5')}, true))
      INSERT INTO ${journal} AS j (id, token, fingerprint, keep_until)
      SELECT ${text('$1')}, ${integer('$2')}, ${text('$3')}, ${keepUntil} FROM bound`

  return {
    begin: `${insertion}
      ON CONFLICT (id) DO NOTHING
      RETURNING 1 AS begun`,
    enter: `${insertion}
      ON CONFLICT (id) DO UPDATE
      SET token = excluded.token, keep_until = greatest(j.keep_until, excluded.keep_until)
      WHERE j.token <= excluded.token
        AND string_to_array(j.fingerprint, ' ') && string_to_array(excluded.fingerprint, ' ')
      RETURNING 1 AS entered`,
    read: `
      SELECT ${headColumns}, s.step FROM ${journal} j LEFT JOIN ${step} s ON s.id = j.id
      WHERE j.id = ${text('$1')} ORDER BY s.began_at, s.name`,
    putStep: `
      WITH bound AS MATERIALIZED (SELECT set_config('lock_timeout', ${text('$5')}, true)),
      fence AS MATERIALIZED (
        SELECT 1 FROM bound, ${journal} j
        WHERE j.id = ${text('$1')} AND j.token = ${integer('$2')} FOR SHARE OF j
      )
      INSERT INTO ${step} (id, name, token, step) ${written}
      ON CONFLICT (id, name) DO UPDATE SET token = excluded.token, step = excluded.step
      RETURNING 1 AS written`,
    // What comes behind the fence must be short: a process that stops there holds its share of the head.
    addStep: `
      WITH fence AS MATERIALIZED (${fence}),
      bound AS MATERIALIZED (
        SELECT set_config('idle_in_transaction_session_timeout', ${text('$5')}, true) FROM fence
      )
      INSERT INTO ${step} (id, name, token, step) ${written}, bound
      RETURNING 1 AS written`,
    lockHead: `SELECT ${headColumns} FROM ${journal} j WHERE j.id = ${text('$1')} FOR UPDATE`,
    shareHead: `SELECT ${headColumns} FROM ${journal} j WHERE j.id = ${text('$1')} FOR SHARE`,
    tokenOf: `SELECT token::text FROM ${step} WHERE id = ${text('$1')} AND name = ${text('$2')}`,
    deleteStep: `DELETE FROM ${step} WHERE id = ${text('$1')} AND name = ${text('$2')}`,
    deleteSteps: `DELETE FROM ${step} WHERE id = ${text('$1')}`,
    renewHead: `
      UPDATE ${journal} SET token = ${integer('$2')}, fingerprint = ${text('$3')}, keep_until = ${keepUntil}
      WHERE id = ${text('$1')}`,
    lockOver: `
      SELECT id FROM ${journal} WHERE keep_until < clock_timestamp()
      ORDER BY keep_until LIMIT ${integer('$1')} FOR UPDATE SKIP LOCKED`,
    deleteStepsOf: `DELETE FROM ${step} WHERE id IN (${listed})`,
    deleteHeads: `DELETE FROM ${journal} WHERE id IN (${listed})`,
  }
}

const listed = `SELECT jsonb_array_elements_text(CAST(${text('$1')} AS jsonb))`

function text(parameter: string): string {
  return `CAST(${parameter} AS text)`
}

function integer(parameter: string): string {
  return `CAST(${text(parameter)} AS bigint)`
}

function number(parameter: string): string {
  return `CAST(${text(parameter)} AS double precision)`
}
