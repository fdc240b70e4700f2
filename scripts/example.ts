// Runs one of the examples: `npm run example -- express`. Each has a server.ts, and reads PORT and STORE.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const names = readdirSync(`${root}/examples`).filter((name) =>
  existsSync(`${root}/examples/${name}/server.ts`),
)
const name = process.argv[2]

if (name === undefined || !names.includes(name)) {
  process.stderr.write(`Usage: npm run example -- ${names.join(' | ')}\n`)
  process.exitCode = 2
} else {
  // Examples import hapax as an application does, by its name, and so from dist/.
  if (!existsSync(`${root}/dist/esm/client`)) {
    execFileSync(process.execPath, [`${root}/scripts/build.ts`], { stdio: 'inherit' })
  }
  await import(`${root}/examples/${name}/server.ts`)
}
