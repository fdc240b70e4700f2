// `npm run peers`: the core and safety rows of `hapax check`, on servers that use other libraries with a real Redis.
// Installs them on the first run, and writes docs/peers.md. Names of peers as arguments choose; then nothing is written.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allCases } from '../../src/checker/cases/index.ts'
import { belongs } from '../../src/checker/profiles.ts'
import { type CheckReport, runCheck } from '../../src/checker/run.ts'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { type Peer, peers } from './peers.ts'
import { PeerProcess, type PeerSetup } from './peer-process.ts'
import { type PeerResult, peersTable } from './table.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))
const page = fileURLToPath(new URL('../../docs/peers.md', import.meta.url))

install()
const wanted = process.argv.slice(2)
const chosen = peers.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
if (chosen.length === 0) {
  process.stderr.write(`There is no such peer. There are: ${peers.map(({ name }) => name).join(', ')}.\n`)
  process.exit(2)
}
const results: PeerResult[] = []
for (const peer of chosen) {
  process.stderr.write(`${peer.name} …\n`)
  results.push(await judge(peer))
}
const table = peersTable(results, new Date())
process.stdout.write(table)
if (wanted.length === 0) writeTable(table)

function install(): void {
  if (existsSync(join(folder, 'node_modules'))) return
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'inherit',
  })
}

/** Two processes on an empty Redis; a third path, outside the library, counts the effects of both. */
async function judge(peer: Peer): Promise<PeerResult> {
  const redis = await startOwnRedis()
  const own = mkdtempSync(join(tmpdir(), 'hapax-peer-'))
  const common = { redisUrl: redis.url, ledger: join(own, 'ledger') }
  const processes: PeerProcess[] = []
  const start = async (setup: PeerSetup): Promise<PeerProcess> => {
    const process = new PeerProcess(setup)
    processes.push(process)
    await process.start()
    return process
  }
  try {
    const dynamodb = peer.needsDynamodb ? await start({ ...common, name: 'dynamodb' }) : undefined
    const place = dynamodb === undefined ? {} : { dynamodbUrl: `http://127.0.0.1:${dynamodb.port}` }
    const one = await start({ ...common, ...place, name: peer.name })
    const two = await start({ ...common, ...place, name: peer.name })
    const report = await check(one.port, two.port)
    return { peer, report, crashes: one.crashes + two.crashes }
  } finally {
    await Promise.all(processes.map((process) => process.stop()))
    await redis.stop()
    rmSync(own, { recursive: true })
  }
}

function check(port: number, secondPort: number): Promise<CheckReport> {
  const base = `http://127.0.0.1:${port}`
  return runCheck({
    url: `${base}/orders`,
    secondUrl: `http://127.0.0.1:${secondPort}/orders`,
    data: '{"marker":"{{marker}}","amount":1}',
    witness: '/id',
    probe: `${base}/effects?marker={{marker}}#/count`,
    slow: '?delayMs={{ms}}',
    only: allCases.filter((one) => belongs(one, 'core') || belongs(one, 'safety')).map(({ id }) => id),
    maxEffects: 2000,
    // Four at a time: a row must not fail for what another row does to a small server.
    jobs: 4,
  })
}

function writeTable(text: string): void {
  const [before = ''] = readFileSync(page, 'utf8').split('<!-- results -->')
  writeFileSync(page, `${before}<!-- results -->\n\n${text}`)
}
