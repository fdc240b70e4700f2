import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

export interface Bundle {
  readonly file: string
  /** How many modules went in. */
  readonly files: number
  readonly minifiedBytes: number
  readonly gzippedBytes: number
}

/** Everything that `paths` export in one minified module, as a bundler for Node makes it. */
export async function bundle(paths: readonly string[], file: string): Promise<Bundle> {
  // Names of two modules may clash, which `export *` would drop both of.
  const contents = paths
    .map((path, index) => `export * as from${index} from ${JSON.stringify(path)}`)
    .join('\n')
  const { metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    outfile: file,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    metafile: true,
  })
  const bytes = readFileSync(file)
  return {
    file,
    files: Object.keys(metafile.inputs).filter((input) => input !== '<stdin>').length,
    minifiedBytes: bytes.length,
    gzippedBytes: gzipSync(bytes).length,
  }
}
