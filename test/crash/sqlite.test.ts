import { crashCases } from './crash-cases.ts'

crashCases('one SQLite file')
