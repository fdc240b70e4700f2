// Journals that are wrong on purpose.

/** What is wrong with the statements that the journal sends. */
export interface JournalFlaws {
  /** Whether a transaction's last statement looks at the head. */
  readonly fence?: 'left-out' | 'at-the-beginning'
  /** The head is opened for any request under its key. */
  readonly headOfAnyRequest?: boolean
  /** A new incarnation begins with the steps of the one before. */
  readonly keepsTheStepsOfOthers?: boolean
  /** Who lost the answer to COMMIT does not ask what became of it. */
  readonly takesLostCommitsForNone?: boolean
}

export interface JournalBug {
  readonly name: string
  readonly mistake: string
  readonly journal: JournalFlaws
  /** It can only show where there is a journal. */
  readonly inJournals: true
}

export const journalBugs: readonly JournalBug[] = [
  {
    name: 'journal-without-a-fence',
    mistake: 'the last statement of a transaction writes its step whoever holds the key by then',
    journal: { fence: 'left-out' },
    inJournals: true,
  },
  {
    name: 'journal-fenced-at-the-beginning',
    mistake: 'a transaction looks at the head when it begins, and not when it ends',
    journal: { fence: 'at-the-beginning' },
    inJournals: true,
  },
  {
    name: 'journal-of-any-request',
    mistake: 'opening the journal does not compare fingerprints',
    journal: { headOfAnyRequest: true },
    inJournals: true,
  },
  {
    name: 'journal-steps-outlive-their-key',
    mistake: 'when a key is over and another request takes it, the steps of the first stay',
    journal: { keepsTheStepsOfOthers: true },
    inJournals: true,
  },
  {
    name: 'lost-commit-is-none',
    mistake: 'a COMMIT whose answer was lost is taken for a rollback',
    journal: { takesLostCommitsForNone: true },
    inJournals: true,
  },
]
