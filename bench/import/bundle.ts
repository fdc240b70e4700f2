import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'

export interface Bundle {
  /** To be imported. */
  readonly file: string
  /** What an import brings, minified. */
  readonly minifiedBytes: number
  readonly gzippedBytes: number
  /** What is loaded when it is first used, minified. */
  readonly laterBytes: number
  /** The modules of Node that an import brings. */
  readonly builtins: readonly string[]
}

/** Everything that `paths` export, minified as a bundler for Node does it that leaves `import()` to load something later. */
export async function bundle(paths: readonly string[], folder: string): Promise<Bundle> {
  // Names of two modules may clash, which `export *` would drop both of.
  const contents = paths
    .map((path, index) => `export * as from${index} from ${JSON.stringify(path)}`)
    .join('\n')
  const { metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    entryNames: 'bundle',
    bundle: true,
    splitting: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    metafile: true,
  })
  const { outputs } = metafile
  const file = join(folder, 'bundle.mjs')
  const imported = importedBy(relative(process.cwd(), file), outputs)
  const bytesOf = (files: Iterable<string>) => Buffer.concat([...files].map((path) => readFileSync(path)))
  const minified = bytesOf(imported)
  return {
    file,
    minifiedBytes: minified.length,
    gzippedBytes: gzipSync(minified).length,
    laterBytes: bytesOf(Object.keys(outputs)).length - minified.length,
    builtins: [...new Set([...imported].flatMap((path) => staticImports(outputs, path, true)).toSorted())],
  }
}

/** The files that are loaded with `entry`, itself among them. */
function importedBy(entry: string, outputs: Metafile['outputs']): Set<string> {
  const found = new Set([entry])
  for (const path of found) {
    for (const imported of staticImports(outputs, path, false)) found.add(imported)
  }
  return found
}

function staticImports(outputs: Metafile['outputs'], path: string, external: boolean): string[] {
  const { imports = [] } = outputs[path] ?? {}
  return imports
    .filter((each) => each.kind === 'import-statement' && (each.external ?? false) === external)
    .map((each) => each.path)
}
