import type { Case } from '../model.ts'
import { calibrationCases } from './calibration.ts'
import { concurrencyCases } from './concurrency.ts'
import { errorCases } from './errors.ts'
import { expiryCases } from './expiry.ts'
import { faultCases } from './faults.ts'
import { largeCases } from './large.ts'
import { methodCases } from './methods.ts'
import { mismatchCases } from './mismatch.ts'
import { missingCases } from './missing.ts'
import { replayCases } from './replay.ts'
import { scopeCases } from './scope.ts'
import { syntaxCases } from './syntax.ts'

const classes = [
  calibrationCases,
  syntaxCases,
  missingCases,
  replayCases,
  mismatchCases,
  concurrencyCases,
  faultCases,
  errorCases,
  expiryCases,
  scopeCases,
  methodCases,
  largeCases,
]

/** All hundred rows: class by class, by number within a class. */
export const allCases: readonly Case[] = classes.flatMap((cases) =>
  cases.toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
)
