// What a browser loads: nothing of Node's, and not much.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'

async function bundled(
  entry: string,
): Promise<{ readonly bytes: number; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [`src/client/${entry}.ts`],
    bundle: true,
    minify: true,
    // Anything that is not for browsers is an error here: `node:` imports do not resolve.
    platform: 'browser',
    format: 'esm',
    external: ['react'],
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  const code = outputFiles[0]?.contents ?? new Uint8Array()
  return { bytes: gzipSync(code, { level: 9 }).length, inputs: Object.keys(metafile.inputs) }
}

describe('a bundle for browsers', () => {
  test('of fetch and retries has at most 4 kB', async () => {
    const { bytes } = await bundled('index')
    expect(bytes).toBeGreaterThan(1000)
    expect(bytes).toBeLessThanOrEqual(4096)
  })

  test.each(['index', 'intents', 'form', 'axios', 'react'])(
    'of %s has only client and protocol in it',
    async (entry) => {
      const { inputs } = await bundled(entry)
      expect(inputs.filter((input) => !/^src\/(?:client|protocol)\//.test(input))).toEqual([])
    },
  )

  test('can’t be made of what is Node’s', async () => {
    await expect(bundled('file')).rejects.toThrow('node:')
  })
})
