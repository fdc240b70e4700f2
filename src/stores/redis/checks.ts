import type { Logger } from '../../core/misuse.ts'
import type { RedisCommand } from './clients.ts'
import type { Connection, MasterNode } from './connection.ts'
import { listIn, textIn } from './replies.ts'
import type { RedisWarningCode } from './warning-codes.ts'

const warningTexts: Readonly<Record<RedisWarningCode, string>> = {
  'redis-version': 'Redis is older than 7.0, whose scripts hapax needs. Every request will be answered 503.',
  'redis-evicts':
    'Redis may evict records when it is full (maxmemory-policy is not "noeviction"). A key whose record was ' +
    'evicted counts as new, and its request runs twice.',
  'redis-not-persistent':
    'Redis keeps no append-only file: a restart forgets records, and their requests may run twice.',
}

/**
 * Asks the server once for what could make it forget. A managed Redis without CONFIG only loses these checks.
 */
export async function checkServers(
  connection: Connection,
  logger: Logger,
  silence: readonly RedisWarningCode[],
): Promise<void> {
  const reported = new Set<RedisWarningCode>(silence)
  const found = await Promise.all((await connection.masters()).map(warningsOf))
  for (const code of found.flat()) {
    if (reported.has(code)) continue
    reported.add(code)
    logger.warn(`${warningTexts[code]} [${code}: docs/redis.md#${code}]`)
  }
}

async function warningsOf(node: MasterNode): Promise<RedisWarningCode[]> {
  const [version, policy, appendOnly] = await Promise.all([
    versionOf(node),
    settingOf(node, 'maxmemory-policy'),
    settingOf(node, 'appendonly'),
  ])
  const codes: RedisWarningCode[] = []
  if (version !== undefined && version < 7) codes.push('redis-version')
  if (policy !== undefined && policy !== 'noeviction') codes.push('redis-evicts')
  if (appendOnly !== undefined && appendOnly !== 'yes') codes.push('redis-not-persistent')
  return codes
}

/** Valkey tells the Redis version that it is compatible with: 7.2.4. */
async function versionOf(node: MasterNode): Promise<number | undefined> {
  const info = await ask(node, ['INFO', 'server'])
  const version = info === undefined ? undefined : /^redis_version:(\d+)\./m.exec(textIn(info))?.[1]
  return version === undefined ? undefined : Number(version)
}

async function settingOf(node: MasterNode, name: string): Promise<string | undefined> {
  const reply = await ask(node, ['CONFIG', 'GET', name])
  // In version 3 of the protocol the reply is a map, which some clients give as an object.
  if (typeof reply === 'object' && reply !== null && name in reply) return textIn(Reflect.get(reply, name))
  const value = Array.isArray(reply) ? listIn(reply)[1] : undefined
  return value === undefined ? undefined : textIn(value)
}

async function ask(node: MasterNode, command: RedisCommand): Promise<unknown> {
  try {
    return await node.send(command)
  } catch {
    return undefined
  }
}
