import { adapterContract } from '../support/adapter-contract.ts'
import { expressVersions } from '../support/express.ts'
import { expressSubject } from '../support/express-subject.ts'

for (const version of expressVersions) adapterContract(expressSubject(version))
