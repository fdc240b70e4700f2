// Writes dist/: JavaScript as ES modules and as CommonJS, each with its own declarations.
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from './build/bundle.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

rmSync(`${root}/dist`, { recursive: true, force: true })
await bundle(`${root}/dist`)
for (const project of ['tsconfig.esm.json', 'tsconfig.cjs.json']) {
  execFileSync(process.execPath, [compiler, '-p', project], { cwd: root, stdio: 'inherit' })
}
// The package is "type": "module"; this makes Node and TypeScript read dist/cjs as CommonJS.
writeFileSync(`${root}/dist/cjs/package.json`, '{ "type": "commonjs" }\n')
chmodSync(`${root}/dist/esm/cli/main.js`, 0o755)
