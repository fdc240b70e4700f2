import { IdempotencyError } from '../core/errors.ts'

/** @throws IdempotencyError `schema-too-new` where a newer release has shut this one out. */
export function requireReader(minReader: number, schemaVersion: number): void {
  if (minReader <= schemaVersion) return
  throw new IdempotencyError(
    'schema-too-new',
    `The tables of the journal were changed by a newer release of hapax: they need schema version ${minReader}, and ` +
      `this release has ${schemaVersion}. Upgrade hapax here.`,
  )
}

export function missingTables(database: string, where: string): IdempotencyError {
  return new IdempotencyError(
    'store-failed',
    `${where} lacks tables of the journal, or has those of an older release. Run what journalSchema("${database}") ` +
      'of hapax/journal returns, or leave "migrate" out.',
  )
}
