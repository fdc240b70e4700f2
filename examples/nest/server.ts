// hapax/nest. PORT and STORE: see ../settings.ts.
import 'reflect-metadata'
import { mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NestFactory } from '@nestjs/core'
import { build } from 'esbuild'
import type { AppModule as Module } from './app.ts'
import { portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const { AppModule } = await compiled()

const app = await NestFactory.create(AppModule.on({ store, scope: false }), { logger: ['error', 'warn'] })
await app.listen(port, '127.0.0.1')
// Closing the app closes the module with it.
serving(portOf(app.getHttpServer()), () => app.close().then(disconnect))

type Compiled = { readonly AppModule: typeof Module }

/** Node runs TypeScript, but no decorators. An application of Nest has a build that compiles them. */
async function compiled(): Promise<Compiled> {
  const folder = fileURLToPath(new URL('../../.cache/examples', import.meta.url))
  mkdirSync(folder, { recursive: true })
  const outfile = `${folder}/nest-${process.pid}.mjs`
  await build({
    entryPoints: [fileURLToPath(new URL('app.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
  })
  try {
    return (await import(outfile)) as Compiled
  } finally {
    rmSync(outfile)
  }
}
