// The recipe for Prisma. Its packages are 300 MB, so they are in a folder of their own and are installed here.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { prismaPostgres } from '../../examples/recipes/prisma.ts'
import { servers } from '../support/servers.ts'
import { postgresPlace, viaPg } from './postgres-places.ts'
import { type Recipe, recipeCases } from './recipes.ts'

/** What is used of the client that Prisma generates: its types are not there before it has done so. */
interface Client extends Transaction {
  $transaction(work: (tx: Transaction) => Promise<void>): Promise<void>
  $disconnect(): Promise<void>
}

interface Transaction {
  $queryRawUnsafe<Rows>(text: string, ...values: unknown[]): Promise<Rows>
  readonly effect: { create(row: { data: { name: string } }): Promise<unknown> }
}

const folder = join(import.meta.dirname, 'prisma')
const run = promisify(execFile)

const connect = await generated()
const server = await servers(() => startPostgres())
if (server !== undefined) {
  const { url, stop } = server
  afterAll(stop)
  recipeCases(
    'Prisma',
    () => postgresPlace(url, viaPg),
    ({ name }) => recipe(connect(url, name)),
  )
}

function recipe(prisma: Client): Recipe {
  return {
    transaction: (work) =>
      prisma.$transaction((tx) =>
        work(prismaPostgres(tx), () => tx.effect.create({ data: { name: 'order' } })),
      ),
    idle: prismaPostgres(prisma),
    close: () => prisma.$disconnect(),
  }
}

async function generated(): Promise<(url: string, schema: string) => Client> {
  if (!existsSync(join(folder, 'node_modules'))) {
    // Its scripts download programs, which a driver adapter does without.
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder })
  }
  // "generate" downloads the program for migrations too, unless it is told where one is; it does not run it.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath }
  const prisma = join(folder, 'node_modules/prisma/build/index.js')
  await run(process.execPath, [prisma, 'generate'], { cwd: folder, env })
  const clientModule = join(folder, 'generated/client.ts')
  const adapterModule = join(folder, 'node_modules/@prisma/adapter-pg/dist/index.mjs')
  // Both are there only now.
  const { PrismaClient } = (await import(clientModule)) as {
    PrismaClient: new (options: { adapter: unknown }) => Client
  }
  const { PrismaPg } = (await import(adapterModule)) as {
    PrismaPg: new (pool: object, options: object) => unknown
  }
  return (connectionString, schema) =>
    new PrismaClient({ adapter: new PrismaPg({ connectionString, max: 2 }, { schema }) })
}
