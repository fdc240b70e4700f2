import type { FuzzTarget } from '../target.ts'
import { httpTargets } from './http.ts'
import { postgresJournalTarget, sqliteJournalTarget } from './journals.ts'
import { jsonTarget } from './json.ts'
import { keyTarget } from './key.ts'
import { multipartTarget } from './multipart.ts'
import { postgresRecordsTarget } from './records-postgres.ts'
import { redisRecordsTarget } from './records-redis.ts'
import { sqliteRecordsTarget } from './records-sqlite.ts'
import { replayTarget } from './replay.ts'

export const targets: readonly FuzzTarget[] = [
  keyTarget,
  jsonTarget,
  multipartTarget,
  replayTarget,
  redisRecordsTarget,
  sqliteRecordsTarget,
  postgresRecordsTarget,
  sqliteJournalTarget,
  postgresJournalTarget,
  ...httpTargets,
]
