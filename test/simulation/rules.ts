import * as transitions from '../../src/core/transitions.ts'

/** The rules of a record's life. Seeded bugs replace one or more of them. */
export type Rules = Pick<
  typeof transitions,
  'claim' | 'renew' | 'complete' | 'release' | 'abandon' | 'recordStep' | 'settle'
>

/** The rules that ship. */
export const realRules: Rules = transitions
