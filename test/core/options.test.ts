import { describe, expect, test } from 'vitest'
import { Sealing } from '../../src/core/sealing.ts'
import { systemClock } from '../../src/core/clock.ts'
import { duration as durationReader, perRequest, readOptions, text } from '../../src/core/option-readers.ts'
import {
  callSettings,
  engineReaders,
  engineSettings,
  recoveryReader,
  runReaders,
} from '../../src/core/options.ts'
import { processWarnings } from '../../src/core/misuse.ts'
import { createIdempotency, memoryStore } from '../../src/index.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const duration = 'a duration of at least 1 ms: milliseconds or a string like "30s"'
const storeVerbs = 'a store (claim, renew, complete, release, abandon, recordStep, close)'

describe('defaults', () => {
  test('of the engine, as DESIGN has them', () => {
    const store = memoryStore()
    const settings = engineSettings(
      readOptions(
        {},
        engineReaders(() => store),
      ),
    )
    expect(settings).toEqual({
      store,
      clock: systemClock,
      storeTimeoutMs: 2_000,
      onStoreError: 'reject',
      storeKeys: true,
      maxWaiters: 1_000,
      logger: processWarnings,
      silence: [],
      on: undefined,
      journal: undefined,
      sealing: new Sealing([], []),
    })
  })

  test('of a run, as DESIGN has them', () => {
    const values = readOptions<Parameters<typeof callSettings>[0]>({}, runReaders)
    expect(callSettings(values, 'refuse')).toEqual({
      policy: { recovery: 'refuse', retainMs: 86_400_000, retainUnknownMs: 2_592_000_000 },
      leaseMs: 30_000,
      maxRunMs: 900_000,
      concurrent: { kind: 'reject' },
    })
    expect(recoveryReader()(undefined, 'recovery')).toBe('refuse')
  })

  test('undefined stands for the default', () => {
    const options = { storeTimeout: undefined, silence: undefined, on: undefined }
    expect(readOptions(options, engineReaders(memoryStore))).toMatchObject({
      storeTimeout: 2_000,
      silence: [],
    })
  })
})

test('options that are right', () => {
  const store = memoryStore()
  const on = () => {}
  const options = {
    store,
    on,
    storeTimeout: '1.5s',
    onStoreError: 'bypass',
    storeKeys: false,
    maxWaiters: 0,
    logger: console,
    silence: ['mounted-twice'],
  }
  expect(engineSettings(readOptions(options, engineReaders(memoryStore)))).toMatchObject({
    store,
    on,
    storeTimeoutMs: 1_500,
    onStoreError: 'bypass',
    storeKeys: false,
    maxWaiters: 0,
    logger: console,
    silence: ['mounted-twice'],
  })
})

test('a function for recovery is kept as reconcile', () => {
  const find = async () => 'refuse' as const
  const values = readOptions<Parameters<typeof callSettings>[0]>({ concurrent: { wait: '10s' } }, runReaders)
  expect(callSettings(values, find)).toMatchObject({
    policy: { recovery: 'reconcile' },
    reconcile: find,
    concurrent: { kind: 'wait', waitMs: 10_000 },
  })
  expect(recoveryReader()(find, 'recovery')).toBe(find)
})

test('an option that may be a function of the request is checked when its value is known', () => {
  const read = perRequest<{ slow: unknown }, number>(durationReader(1_000))
  expect(read(undefined, 'lease')({ slow: true })).toBe(1_000)
  expect(read('2s', 'lease')({ slow: true })).toBe(2_000)
  expect(() => read('soon', 'lease')).toThrow('Option "lease" must be a duration')
  const perRoute = read(({ slow }: { slow: unknown }) => slow, 'lease')
  expect(perRoute({ slow: '5m' })).toBe(300_000)
  expect(perRoute({ slow: undefined })).toBe(1_000)
  expect(() => perRoute({ slow: 'soon' })).toThrow('Option "lease" must be a duration')
})

test('a text must not be empty', () => {
  expect(text('urn:')(undefined, 'problems')).toBe('urn:')
  expect(() => text('urn:')('', 'problems')).toThrow('Option "problems" must be a string that is not empty')
})

describe('wrong options fail at construction, by name', () => {
  test.each([
    ['store', 'redis://localhost', `${storeVerbs}; received "redis://localhost".`],
    ['store', {}, `${storeVerbs}; received an object.`],
    ['store', null, `${storeVerbs}; received null.`],
    ['store', { ...memoryStore(), close: 'no' }, `${storeVerbs}; received an object.`],
    ['clock', {}, 'a clock (now, monotonic, setTimer); received an object.'],
    ['storeTimeout', 0, `${duration}; received 0.`],
    ['storeTimeout', -1, `${duration}; received -1.`],
    ['storeTimeout', 'soon', `${duration}; received "soon".`],
    ['storeTimeout', '2 s', `${duration}; received "2 s".`],
    ['storeTimeout', Number.NaN, `${duration}; received NaN.`],
    ['storeTimeout', Number.POSITIVE_INFINITY, `${duration}; received Infinity.`],
    ['storeTimeout', null, `${duration}; received null.`],
    ['storeTimeout', 5n, `${duration}; received 5.`],
    ['onStoreError', 'ignore', '"reject" or "bypass"; received "ignore".'],
    ['onStoreError', true, '"reject" or "bypass"; received true.'],
    ['storeKeys', 'yes', 'true or false; received "yes".'],
    ['maxWaiters', -1, 'a whole number of at least 0; received -1.'],
    ['maxWaiters', 1.5, 'a whole number of at least 0; received 1.5.'],
    ['maxWaiters', '7', 'a whole number of at least 0; received "7".'],
    ['logger', () => {}, 'an object with a warn(message) method; received a function.'],
    ['on', {}, 'a function; received an object.'],
    [
      'silence',
      'mounted-twice',
      /^an array of codes \(memory-store-in-production, .*\); received "mounted-twice"\.$/,
    ],
    ['silence', ['mounted'], /^an array of codes \(.*\); received an array\.$/],
    ['silence', [7], /^an array of codes \(.*\); received an array\.$/],
  ])('%s: %o', (option, value, expected) => {
    const error = thrownBy(() => createIdempotency({ [option]: value }))
    expect(error).toMatchObject({ name: 'IdempotencyError', code: 'invalid-option' })
    const prefix = `Option "${option}" must be `
    expect(error.message.startsWith(prefix)).toBe(true)
    const rest = error.message.slice(prefix.length)
    if (typeof expected === 'string') expect(rest).toBe(expected)
    else expect(rest).toMatch(expected)
  })

  test.each([
    ['retain', '1 day', `${duration}; received "1 day".`],
    ['retain', '0s', `${duration}; received "0s".`],
    ['retainUnknown', {}, `${duration}; received an object.`],
    ['lease', 9, 'a duration of at least 10 ms: milliseconds or a string like "30s"; received 9.'],
    ['maxRun', Symbol('s'), `${duration}; received Symbol(s).`],
    ['concurrent', 'wait', '"reject" or { wait: <duration> }; received "wait".'],
    ['concurrent', null, '"reject" or { wait: <duration> }; received null.'],
    ['concurrent', { wait: 0 }, '"reject" or { wait: <duration> }; received an object.'],
    ['concurrent', { wiat: '1s' }, '"reject" or { wait: <duration> }; received an object.'],
    ['concurrent', { wait: '1s', max: 3 }, '"reject" or { wait: <duration> }; received an object.'],
    ['concurrent', ['wait'], '"reject" or { wait: <duration> }; received an array.'],
    ['recovery', 'retry', '"refuse", "rerun" or a function; received "retry".'],
    ['recovery', null, '"refuse", "rerun" or a function; received null.'],
  ])('%s: %o', (option, value, expected) => {
    const readers = { ...runReaders, recovery: recoveryReader() }
    const error = thrownBy(() => readOptions<Record<string, unknown>>({ [option]: value }, readers))
    expect(error).toMatchObject({ code: 'invalid-option', message: `Option "${option}" must be ${expected}` })
  })

  test('a long value is shortened in the message', () => {
    const error = thrownBy(() => createIdempotency({ storeTimeout: `${'9'.repeat(100)}s` as '9s' }))
    expect(error.message).toContain(`received "${'9'.repeat(60)}…".`)
  })

  test.each(['ttl', 'storetimeout', 'toString', 'constructor', '__proto__'])('unknown: %s', (name) => {
    const error = thrownBy(() => createIdempotency(JSON.parse(`{"${name}":1}`)))
    expect(error).toMatchObject({ code: 'invalid-option' })
    expect(error.message).toMatch(
      new RegExp(
        `^Unknown option "${name}"\\. The options are: clock, encryption, journal, logger, maxWaiters, .*secret, .*storeTimeout\\.$`,
      ),
    )
  })

  test.each([
    ['null', null, 'null'],
    ['a string', 'memory', '"memory"'],
    ['an array', [], 'an array'],
  ])('options that are %s', (_, options, received) => {
    // What plain JavaScript may pass.
    const error = thrownBy(() => createIdempotency(options as object))
    expect(error.message).toBe(`Option "options" must be an object; received ${received}.`)
  })
})

function thrownBy(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('Nothing was thrown.')
}
