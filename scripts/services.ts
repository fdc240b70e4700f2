// Starts servers and keeps them until Ctrl-C: `node scripts/services.ts redis redis-cluster redis-sentinel postgres
// mariadb rabbitmq`.
// `--append-only` lets the single Redis write each change to its disk before it answers.
import {
  startMariaDb,
  startPostgres,
  startRabbitMq,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
} from './services/index.ts'

interface Running {
  /** A line for a shell to read. */
  readonly line: string
  stop(): Promise<void>
}

const appendOnly = process.argv.includes('--append-only')
const starters: Readonly<Record<string, () => Promise<Running>>> = {
  redis: async () => {
    const server = await startRedis(appendOnly ? { appendOnly } : {})
    return { line: `REDIS_URL=${server.url}`, stop: () => server.stop() }
  },
  'redis-cluster': async () => {
    const cluster = await startRedisCluster({ replicas: true })
    return {
      line: `REDIS_CLUSTER_URL=redis://127.0.0.1:${cluster.nodes[0]?.port}`,
      stop: () => cluster.stop(),
    }
  },
  'redis-sentinel': async () => {
    const group = await startRedisSentinel()
    const ports = group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
    return {
      line: `REDIS_SENTINELS=${ports} REDIS_MASTER_NAME=${group.masterName}`,
      stop: () => group.stop(),
    }
  },
  postgres: async () => {
    const server = await startPostgres()
    return { line: `HAPAX_POSTGRES_URL=${server.url}`, stop: () => server.stop() }
  },
  mariadb: async () => {
    const server = await startMariaDb()
    return { line: `HAPAX_MYSQL_URL=${server.url}`, stop: () => server.stop() }
  },
  rabbitmq: async () => {
    const server = await startRabbitMq()
    return { line: `AMQP_URL=${server.url}`, stop: () => server.stop() }
  },
}

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = names.filter((name) => starters[name] === undefined)
if (names.length === 0 || unknown.length > 0) {
  process.stderr.write(
    `Usage: node scripts/services.ts [--append-only] ${Object.keys(starters).join(' | ')} …\n`,
  )
  process.exitCode = 1
} else {
  await serve(names)
}

async function serve(wanted: readonly string[]): Promise<void> {
  const chosen = Object.entries(starters).filter(([name]) => wanted.includes(name))
  const running = await Promise.all(chosen.map(async ([, start]) => start()))
  for (const server of running) process.stdout.write(`${server.line}\n`)
  const keepAlive = setInterval(() => {}, 60_000)
  await new Promise<void>((stop) => {
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  })
  clearInterval(keepAlive)
  await Promise.all(running.map(async (server) => server.stop()))
}
