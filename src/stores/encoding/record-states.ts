import type { Fingerprint } from '../../protocol/fingerprint.ts'
import type { IdempotencyRecord, RecoveryMode, StepRecord, StoredResponse } from '../../core/record.ts'

/** The members of a record, wherever they lie; those that only some states have are read for those alone. */
export interface RecordMembers {
  readonly base: Pick<
    IdempotencyRecord,
    'id' | 'owner' | 'token' | 'attempt' | 'policy' | 'label' | 'expiresAtMs'
  >
  readonly state: string
  /** Null after a clean release. */
  readonly fingerprint: Fingerprint | null
  steps(): readonly StepRecord[] | undefined
  /** When it was claimed, when it was completed, or since when its outcome is unknown. */
  sinceMs(): number
  leaseUntilMs(): number
  takeover(): boolean
  failed(): boolean
  response(): StoredResponse
}

/** @throws Error with a sentence that says what is wrong: what each reader throws, or an unknown state. */
export function recordOf(members: RecordMembers): IdempotencyRecord {
  const { base, state, fingerprint } = members
  if (state === 'released' && fingerprint === null) return { ...base, state, fingerprint: null }
  if (fingerprint === null) throw new Error('fingerprint is not text.')
  const steps = members.steps()
  const common = { ...base, fingerprint, ...(steps && { steps }) }
  switch (state) {
    case 'released':
      return { ...common, state }
    case 'unknown':
      return { ...common, state, sinceMs: members.sinceMs() }
    case 'running':
      return {
        ...common,
        state,
        claimedAtMs: members.sinceMs(),
        leaseUntilMs: members.leaseUntilMs(),
        takeover: members.takeover(),
      }
    case 'completed':
      return {
        ...common,
        state,
        completedAtMs: members.sinceMs(),
        failed: members.failed(),
        response: members.response(),
      }
    default:
      throw new Error(`there is no state ${JSON.stringify(state)}.`)
  }
}

export const recoveryModes: readonly RecoveryMode[] = ['refuse', 'reconcile', 'rerun']
