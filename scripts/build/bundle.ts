import { join } from 'node:path'
import { type OutputOptions, type Plugin, rolldown } from 'rolldown'
import { entriesOf, type Format, root } from './entries.ts'

/** Programs that are started by their path. */
const programs = ['cli/main', 'cli/demo/shop/process']

/** Writes the JavaScript of dist/ into `folder`: a file for each public import, and what they share in chunks beside them. */
export async function bundle(folder: string): Promise<void> {
  const esm = entriesOf('esm').map(({ path }) => path)
  const isClient = (path: string) => path.startsWith('client/')
  const cjs = entriesOf('cjs').map(({ path }) => path)
  await write(
    join(folder, 'esm'),
    'esm',
    [...esm.filter((path) => !isClient(path)), ...programs],
    serverChunks,
  )
  await write(join(folder, 'cjs'), 'cjs', cjs, serverChunks)
  // By themselves, so that what the client shares with a server can't bring the server to a browser.
  await write(join(folder, 'esm'), 'esm', esm.filter(isClient), { chunkFileNames: chunksIn('client/chunks') })
}

async function write(
  folder: string,
  format: Format,
  paths: readonly string[],
  chunks: OutputOptions,
): Promise<void> {
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(paths.map((path) => [path, sourceOf(path)])),
    platform: 'node',
    transform: { target: 'es2023' },
    // Whatever is no file of ours is the user's, or Node's.
    external: /^(?!\.|\/|[A-Z]:)/i,
    plugins: [publicImports()],
  })
  await build.write({ ...output, ...chunks, format, dir: folder })
  await build.close()
}

const output: OutputOptions = {
  entryFileNames: '[name].js',
  hashCharacters: 'hex',
  exports: 'named',
  // Jest runs CommonJS where `import()` is not to be had.
  dynamicImportInCjs: false,
  // For readable stack traces the code is left as it is; the sources ship, and the declarations have the comments.
  minify: false,
  comments: { legal: true, annotation: true, jsdoc: false },
  sourcemap: true,
  sourcemapExcludeSources: true,
}

const serverChunks: OutputOptions = {
  chunkFileNames: chunksIn('chunks'),
  // Rooms that are loaded as one. A file takes an import a quarter of a millisecond, whatever is in it, and by itself the
  // bundler makes a chunk for each set of imports that share something.
  codeSplitting: {
    groups: [
      { name: 'core', test: isOfEveryService, tags: ['$initial'] },
      { name: 'http', test: /[\\/]src[\\/]http[\\/][^\\/]+$/, tags: ['$initial'] },
      { name: 'http-node', test: inFolders('http/node'), tags: ['$initial'] },
      { name: 'http-fetch', test: inFolders('http/fetch'), tags: ['$initial'] },
      { name: 'redis', test: inFolders('stores/redis'), tags: ['$initial'] },
    ],
  },
}

/**
 * A chunk is named by its content: a process that runs on while another release is installed over it finds no chunk of the
 * other's to load, and says so.
 */
function chunksIn(folder: string): string {
  return `${folder}/[name]-[hash].js`
}

/** The commands import what is public by its public name: else it would have to be a chunk, and not the entry itself. */
function publicImports(): Plugin {
  const specifiers = new Map(entriesOf('esm').map(({ path, specifier }) => [sourceOf(path), specifier]))
  return {
    name: 'public-imports',
    async resolveId(source, importer) {
      if (importer === undefined || !inFolders('cli').test(importer)) return null
      const resolved = await this.resolve(source, importer, { skipSelf: true })
      const specifier = specifiers.get(resolved?.id ?? '')
      return specifier === undefined ? null : { id: specifier, external: true }
    },
  }
}

function sourceOf(path: string): string {
  return join(root, 'src', `${path}.ts`)
}

/** The engine, and what a chunk of its own would be too small for. The rules of records are in the script of some stores. */
function isOfEveryService(source: string): boolean {
  const isSmall = /[\\/]stores[\\/](?:encoding[\\/]steps|remote[\\/]server-clock)\.ts$/
  if (isSmall.test(source)) return true
  return inFolders('core', 'protocol').test(source) && !source.endsWith('transitions.ts')
}

function inFolders(...folders: readonly string[]): RegExp {
  return new RegExp(`[\\\\/]src[\\\\/](?:${folders.join('|').replaceAll('/', '[\\\\/]')})[\\\\/]`)
}
