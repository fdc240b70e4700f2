import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import { median } from '../median.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import { roundsOf } from '../rounds.ts'
import { rounded, type Table } from '../table.ts'
import { bundle, type Bundle } from './bundle.ts'

const root = join(import.meta.dirname, '../..')

const subjects = [
  { said: '`hapax/express`', paths: ['adapters/express'] },
  { said: '`hapax/redis`', paths: ['stores/redis'] },
  { said: 'both', paths: ['adapters/express', 'stores/redis'] },
]
const forms = ['modules', 'CommonJS', 'bundled', 'in a service'] as const

interface ImportCell {
  readonly name: string
  readonly subject: (typeof subjects)[number]
  readonly form: (typeof forms)[number]
  readonly script: string
}

/**
 * How long importing takes a new process beyond its own start, and how much there is to load. A service has imported its
 * framework and its driver, and with them most of what hapax needs of Node: there the import itself is timed.
 */
export async function importTables(settings: Settings): Promise<Table[]> {
  const rounds = settings.rounds ?? 21
  progress('build')
  // What is measured is what ships.
  execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { cwd: root, stdio: 'ignore' })
  const folder = temporaryFolder('bench-import')
  try {
    const bundles = new Map<string, Bundle>()
    for (const { said, paths } of subjects) {
      const files = paths.map((path) => join(root, `dist/esm/${path}.js`))
      bundles.set(said, await bundle(files, join(folder, String(bundles.size))))
    }
    const cells = subjects.flatMap((subject) =>
      forms.map((form): ImportCell => {
        const script = scriptOf(form, subject.paths, bundles.get(subject.said)?.file ?? '')
        return { name: `${subject.said}, ${form}`, subject, form, script }
      }),
    )
    const loaded = new Map(subjects.map(({ said, paths }) => [said, filesLoaded(paths)]))
    const samples = await roundsOf(rounds, cells, async ({ form, script }) => {
      if (form === 'in a service') return Number(outputOf('module', script))
      const emptyMs = processMs(form, '')
      return processMs(form, script) - emptyMs
    })
    return [tableOf(samples, bundles, loaded, rounds)]
  } finally {
    removeFolder(folder)
  }
}

function scriptOf(form: ImportCell['form'], paths: readonly string[], file: string): string {
  switch (form) {
    case 'modules':
      return paths.map((path) => `import '${root}/dist/esm/${path}.js'`).join('\n')
    case 'CommonJS':
      return paths.map((path) => `require('${root}/dist/cjs/${path}.js')`).join('\n')
    case 'bundled':
      return `import '${file}'`
    case 'in a service': {
      const imports = paths.map((path) => `await import('${root}/dist/esm/${path}.js')`).join('\n')
      const timed = `const startedMs = performance.now()\n${imports}\nconsole.log(performance.now() - startedMs)`
      return `import 'express'\nimport 'ioredis'\n${timed}`
    }
  }
}

function processMs(form: ImportCell['form'], script: string): number {
  const startedMs = performance.now()
  outputOf(form === 'CommonJS' ? 'commonjs' : 'module', script)
  return performance.now() - startedMs
}

function outputOf(type: 'commonjs' | 'module', script: string): string {
  return execFileSync(process.execPath, [`--input-type=${type}`, '-e', script], {
    cwd: root,
    encoding: 'utf8',
  })
}

/** How many files of the package an import loads. */
function filesLoaded(paths: readonly string[]): number {
  const script = `
    import { registerHooks } from 'node:module'
    let files = 0
    registerHooks({ load: (url, context, next) => (url.startsWith('file:') && (files += 1), next(url, context)) })
    for (const path of ${JSON.stringify(paths)}) await import('${root}/dist/esm/' + path + '.js')
    console.log(files)`
  return Number(outputOf('module', script))
}

function tableOf(
  samples: ReadonlyMap<ImportCell, readonly number[]>,
  bundles: ReadonlyMap<string, Bundle>,
  loaded: ReadonlyMap<string, number>,
  rounds: number,
): Table {
  const msOf = (said: string, form: string) => {
    for (const [cell, own] of samples) {
      if (cell.subject.said === said && cell.form === form) return rounded(median(own))
    }
    return Number.NaN
  }
  return {
    name: 'import',
    heading: 'What it weighs',
    intro:
      'Time is what importing takes a new process beyond an empty one. The aim, both together: 15 ms; a test holds the size.',
    setting: `${rounds} new processes of each, beside empty ones; medians of the difference in milliseconds`,
    columns: [
      'import',
      'files',
      'kB minified',
      'kB gzipped',
      'kB loaded when used',
      ...forms.map((form) => `ms, ${form}`),
    ],
    rows: subjects.map(({ said }) => {
      const { minifiedBytes = 0, gzippedBytes = 0, laterBytes = 0 } = bundles.get(said) ?? {}
      const sizes = [minifiedBytes, gzippedBytes, laterBytes].map((bytes) => rounded(bytes / 1_000))
      return [said, loaded.get(said) ?? 0, ...sizes, ...forms.map((form) => msOf(said, form))]
    }),
  }
}
