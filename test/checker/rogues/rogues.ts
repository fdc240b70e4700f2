import { createHash } from 'node:crypto'
import { parseString, soundGuard, soundParts } from '../../../src/checker/reference/layer.ts'
import type { HeaderLine, Reply } from '../../../src/checker/reference/messages.ts'
import type { ReferenceOptions } from '../../../src/checker/reference/server.ts'
import type { CheckOptions } from '../../../src/checker/run.ts'
import * as guards from './guards.ts'

/** A server that is wrong in one way: the row that must catch it, and the rows that rightly see it too. */
export type Rogue = {
  readonly fault: string
  readonly row: string
  readonly alsoSeenBy: readonly string[]
  readonly server: ReferenceOptions
  readonly check?: Partial<CheckOptions>
  /** Has to be a process of its own, to be killed or restarted. */
  readonly process?: 'kill' | 'restart'
}

const key = (value: string) => ({ kind: 'key', key: value }) as const

export const rogues: Readonly<Record<string, Rogue>> = {
  checkThenAct: {
    fault: 'looks, then acts: no atomic claim',
    row: 'CON-01',
    // Whatever puts two requests in flight finds the same race.
    alsoSeenBy: ['CON-02', 'CON-05', 'CON-07', 'CON-10', 'FLT-01', 'FLT-04', 'FLT-10', 'MM-12', 'EXP-05'],
    server: { guard: guards.checkThenAct },
  },
  storesConflict: {
    fault: 'stores the 409 under the key',
    row: 'CON-05',
    alsoSeenBy: ['CON-04', 'CON-10', 'FLT-01', 'FLT-04', 'FLT-10'],
    server: { guard: guards.storesConflict },
  },
  poisons: {
    fault: 'records its own 422 over the good record',
    row: 'MM-04',
    alsoSeenBy: ['MM-12', 'SYN-13'],
    server: { guard: guards.poisons },
  },
  shortLease: {
    fault: 'its lock is shorter than the handler',
    row: 'CON-09',
    alsoSeenBy: ['EXP-05'],
    server: { guard: guards.shortLease(1000) },
    check: {
      long: true,
      longMs: [2500],
      only: ['CAL', 'CON', 'FLT-01', 'MM', 'FID-01', 'EXP-05'],
      skip: ['CON-06'],
    },
  },
  completesLate: {
    fault: 'a gap between "no longer running" and "stored"',
    row: 'CON-10',
    alsoSeenBy: [],
    server: { guard: guards.completesLate },
    check: { only: ['CAL', 'CON-10', 'CON-01', 'CON-08', 'FID-14', 'MIS'] },
  },
  forgetsTheAbsent: {
    fault: 'aborts and forgets when the client hangs up',
    row: 'FLT-01',
    alsoSeenBy: ['FLT-03', 'FLT-04', 'ERR-03'],
    server: { guard: guards.forgetsTheAbsent },
  },
  wedgesOnHangup: {
    fault: '409 for ever after the client hung up',
    row: 'FLT-01',
    alsoSeenBy: ['FLT-03', 'FLT-04', 'ERR-03'],
    server: { guard: guards.wedgesOnHangup },
  },
  rerunsAfterCrash: {
    fault: 'runs again what was running when it died',
    row: 'FLT-07',
    alsoSeenBy: [],
    server: { guard: guards.rerunsAfterCrash },
    process: 'kill',
    check: { only: ['FLT-06', 'FLT-07', 'FID-01', 'CAL-01'] },
  },
  memoryStore: {
    fault: 'keeps its records in memory',
    row: 'FLT-05',
    alsoSeenBy: [],
    server: {},
    process: 'restart',
    check: { only: ['FLT-05', 'FID-01', 'CAL-01'] },
  },
  forgetsWhenStoreFails: {
    fault: 'frees the key when its record cannot be written',
    row: 'FLT-11',
    alsoSeenBy: [],
    server: { guard: guards.forgetsWhenStoreFails },
    check: { only: ['CAL-01', 'FLT-11', 'FID-01', 'CON-01', 'MM-01'] },
  },
  releasesFailures: {
    fault: 'frees the key on 500, after the effect',
    row: 'ERR-03',
    alsoSeenBy: [],
    server: { guard: soundGuard({ keeps: (reply) => reply.status < 500 }) },
  },
  firstLineWins: {
    fault: 'takes the first of two key lines',
    row: 'SYN-08',
    alsoSeenBy: ['SYN-09'],
    server: { guard: soundGuard({ readKey: (lines) => soundParts.readKey(lines.slice(0, 1)) }) },
  },
  tokenParser: {
    fault: 'takes bare keys only where they parse as a structured Token',
    row: 'SYN-11',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        readKey: (lines) =>
          /^[0-9]/.test(lines[0] ?? '') ? { kind: 'malformed', why: 'number' } : soundParts.readKey(lines),
      }),
    },
  },
  truncatesKeys: {
    fault: 'cuts keys at 64 characters',
    row: 'SYN-14',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({ scope: (principal, own) => JSON.stringify([principal, own.slice(0, 64)]) }),
    },
  },
  stripsQuotes: {
    fault: 'reads the key by stripping quotes',
    row: 'SYN-06',
    alsoSeenBy: ['SYN-04', 'SYN-05', 'SYN-07', 'SYN-10', 'SYN-13', 'ERR-08'],
    server: {
      guard: soundGuard({
        readKey: (lines) =>
          lines.length === 1 && lines[0] !== ''
            ? key((lines[0] ?? '').replaceAll('"', ''))
            : soundParts.readKey(lines),
      }),
    },
  },
  acceptsAnyByte: {
    fault: 'takes bytes outside ASCII inside the quotes',
    row: 'SYN-07',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        readKey: (lines) =>
          lines.length === 1 && /^"[^"\\]*[\t\x80-\xff][^"\\]*"$/.test(lines[0] ?? '')
            ? key(lines[0] ?? '')
            : soundParts.readKey(lines),
      }),
    },
  },
  emptyKey: {
    fault: 'takes the empty String for a key',
    row: 'SYN-13',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({ readKey: (lines) => (lines[0] === '""' ? key('') : soundParts.readKey(lines)) }),
    },
  },
  keyWithParameters: {
    fault: 'takes parameters for part of the key',
    row: 'SYN-04',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        readKey: (lines) =>
          lines.length === 1 && parseString(lines[0] ?? '') !== undefined && /";/.test(lines[0] ?? '')
            ? key(lines[0] ?? '')
            : soundParts.readKey(lines),
      }),
    },
  },
  foldsPatterns: {
    fault: 'matches keys as patterns',
    row: 'SYN-15',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        scope: (principal, own) =>
          JSON.stringify([principal, own.replace(/(?<=^[0-9a-f]{12})(?:\*|a\?c|\[a\]bc)$/, 'abc')]),
      }),
    },
  },
  unprotected: {
    fault: 'runs a request without the key it requires',
    row: 'MIS-01',
    alsoSeenBy: ['SYN', 'MIS-02'],
    server: { guard: soundGuard({ required: false }) },
    check: { keyRequired: true },
  },
  guessesByContent: {
    fault: 'deduplicates unkeyed requests by content',
    row: 'MIS-03',
    alsoSeenBy: ['SYN-13'],
    server: { guard: guards.guessesByContent },
  },
  textStore: {
    fault: 'stores bodies as UTF-8 text',
    row: 'FID-03',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        toStore: (reply) => ({
          ...soundParts.toStore(reply),
          body: Buffer.from(reply.body.toString('utf8')),
        }),
      }),
    },
  },
  lengthOn204: {
    fault: 'sends a Content-Length with a 204',
    row: 'FID-04',
    alsoSeenBy: [],
    server: {
      guard: replaying((stored) =>
        stored.status === 204 ? withLine(stored, ['Content-Length', '0']) : stored,
      ),
    },
  },
  forgetsEmptyAnswers: {
    fault: 'does not store an answer without a body',
    row: 'FID-05',
    alsoSeenBy: ['FID-04'],
    server: { guard: soundGuard({ keeps: (reply) => reply.body.length > 0 || reply.drop === true }) },
  },
  dropsHeaders: {
    fault: 'replays the Content-Type and no other field',
    row: 'FID-06',
    alsoSeenBy: ['FID-05', 'FID-07', 'FID-17'],
    server: {
      guard: soundGuard({
        toStore: (reply) => ({
          ...reply,
          headers: reply.headers.filter(([name]) => name === 'Content-Type'),
        }),
      }),
    },
  },
  mergesLines: {
    fault: 'keeps one line for each header name',
    row: 'FID-07',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        toStore: (reply) => ({
          ...soundParts.toStore(reply),
          headers: merged(soundParts.toStore(reply).headers),
        }),
      }),
    },
  },
  joinsCookies: {
    fault: 'joins Set-Cookie lines with commas',
    row: 'FID-08',
    alsoSeenBy: ['FID-07'],
    server: {
      guard: soundGuard({
        toStore: (reply) => ({
          ...reply,
          headers: merged(
            reply.headers.filter(([name]) => !/^(connection|keep-alive|x-hop|proxy)/i.test(name)),
          ),
        }),
      }),
    },
  },
  storedDate: {
    fault: 'replays the first Date',
    row: 'FID-09',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        toStore: (reply) => withLine(soundParts.toStore(reply), ['Date', new Date().toUTCString()]),
      }),
    },
  },
  hopByHop: {
    fault: 'replays connection fields',
    row: 'FID-10',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        toStore: (reply) => ({ ...reply, headers: reply.headers.filter(([name]) => name !== 'Set-Cookie') }),
      }),
    },
  },
  storedGzip: {
    fault: 'stores compressed bytes and sends them to everybody',
    row: 'FID-13',
    alsoSeenBy: [],
    server: { compressInside: true },
  },
  noFingerprint: {
    fault: 'does not compare requests',
    row: 'MM-01',
    alsoSeenBy: ['MM', 'MTH-04', 'ERR-06', 'SYN-13', 'FLT-02', 'ERR-01', 'MTH-01', 'SCO-06'],
    server: { guard: soundGuard({ fingerprint: () => 'same' }) },
  },
  shortFingerprint: {
    fault: 'compares the first 64 KiB',
    row: 'MM-05',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        fingerprint: (request) =>
          request.body.length < 64 * 1024
            ? soundParts.fingerprint(request)
            : createHash('sha256')
                .update(request.body.subarray(0, 64 * 1024))
                .digest('hex'),
      }),
    },
  },
  comparesHeaders: {
    fault: 'takes User-Agent for part of the payload',
    row: 'MM-10',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        fingerprint: (request) =>
          `${soundParts.fingerprint(request)} ${request.lines.find(([name]) => name === 'user-agent')?.[1]}`,
      }),
    },
  },
  comparesFraming: {
    fault: 'takes the framing for part of the payload',
    row: 'MM-09',
    alsoSeenBy: ['FLT-02'],
    server: {
      guard: soundGuard({
        fingerprint: (request) =>
          `${soundParts.fingerprint(request)} ${request.lines.some(([name]) => name === 'transfer-encoding')}`,
      }),
    },
  },
  badRequestForReuse: {
    fault: 'says 400 where 422 is meant',
    row: 'MM-02',
    alsoSeenBy: [],
    server: { guard: guards.alwaysBadRequest },
  },
  bareErrors: {
    fault: 'explains nothing',
    row: 'MM-03',
    alsoSeenBy: ['MIS-02', 'CON-03', 'ERR-08', 'CON-04'],
    server: { guard: guards.bareErrors },
  },
  oneLockForAll: {
    fault: 'one lock for all keys',
    row: 'CON-08',
    alsoSeenBy: [],
    server: { guard: guards.oneLockForAll() },
    check: { jobs: 1, only: ['CON-08', 'FID-01', 'MM-01'] },
  },
  sharedKeys: {
    fault: 'one key space for all tenants',
    row: 'SCO-01',
    alsoSeenBy: ['SCO-02', 'FID-08'],
    server: { guard: soundGuard({ scope: (_, own) => own }) },
  },
  joinedScope: {
    fault: 'lets a key name another tenant’s record',
    row: 'SCO-05',
    alsoSeenBy: [],
    server: {
      guard: soundGuard({
        scope: (principal, own) =>
          own.startsWith('tenant-a:') ? `a:${own.slice(9)}` : `${principal}:${own}`,
      }),
    },
  },
  looksUpFirst: {
    fault: 'looks the key up before the credentials',
    row: 'SCO-03',
    alsoSeenBy: ['ERR-09', 'ERR-04', 'SCO-01', 'SCO-02', 'SCO-05', 'MIS', 'FID-08'],
    server: { guardBeforeAuth: true },
  },
  halfExpires: {
    fault: 'says "in progress" for ever once a record has expired',
    row: 'EXP-02',
    alsoSeenBy: ['EXP-04'],
    server: { guard: guards.halfExpires },
  },
  unguardedPatch: {
    fault: 'does not guard PATCH',
    row: 'MTH-02',
    alsoSeenBy: ['MTH-03'],
    server: { methods: ['POST'] },
  },
  guardedReads: {
    fault: 'guards GET as well',
    row: 'MTH-01',
    alsoSeenBy: [],
    server: { methods: ['POST', 'PATCH', 'GET'], guard: soundGuard({ required: false }) },
  },
}

function replaying(change: (stored: Reply) => Reply) {
  return soundGuard({ toReplay: (stored, request) => change(soundParts.toReplay(stored, request)) })
}

function withLine(reply: Reply, line: HeaderLine): Reply {
  return { ...reply, headers: [...reply.headers, line] }
}

function merged(headers: readonly HeaderLine[]): HeaderLine[] {
  const joined = new Map<string, string>()
  for (const [name, value] of headers)
    joined.set(name, joined.has(name) ? `${joined.get(name)}, ${value}` : value)
  return [...joined]
}
