// A rogue as a process of its own, so that a test can kill it. Takes the arguments that `hapax check
// --reference` takes, after the rogue's name.
import { serveReference } from '../../../src/checker/reference/serve.ts'
import { rogues } from './rogues.ts'

const [name = '', ...rest] = process.argv.slice(2)
const rogue = rogues[name]
if (rogue === undefined) throw new Error(`no rogue ${name}`)
const after = (flag: string): string => rest[rest.indexOf(flag) + 1] ?? ''
const [first = 0, second = 0, third = 0] = after('--ports').split(',').map(Number)
const directory = rogue.process === 'kill' ? { directory: after('--directory') } : {}
await serveReference({ ...rogue.server, ...directory, auth: true, ports: [first, second, third] })
