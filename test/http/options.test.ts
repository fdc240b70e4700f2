import { describe, expect, it } from 'vitest'
import { type ExpressOptions, idempotency } from '../../src/adapters/express.ts'
import { isIdempotencyError } from '../../src/core/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'

/** Wrong values of each option, and what the sentence must say was expected. */
const wrong: Record<string, { values: unknown[]; expected: string | RegExp }> = {
  store: { values: [null, 'redis', {}, { claim: () => {} }], expected: /a store \(claim, renew/ },
  scope: { values: [undefined, null, true, 'user', {}], expected: /function .* or false/ },
  methods: { values: [null, 'POST', [1], [undefined], {}], expected: 'array of method names' },
  skip: { values: [null, true, '/health'], expected: 'a function' },
  required: { values: [null, 'yes', 1], expected: 'true or false' },
  header: { values: [null, '', 7, 'Idempotency Key', 'Key:', 'clé'], expected: /header name|string/ },
  key: { values: [null, 'id', true], expected: 'a function' },
  maxKeyLength: {
    values: [null, 0, -1, 1.5, '255', Number.NaN, Infinity],
    expected: 'whole number of at least 1',
  },
  fingerprint: { values: [null, 'body', true], expected: 'a function' },
  maxRequestBytes: { values: [null, -1, 0.5, '1mb', Number.NaN], expected: 'whole number of at least 0' },
  maxResponseBytes: { values: [null, -1, 0.5, '1mb'], expected: 'whole number of at least 0' },
  concurrent: {
    values: [null, 'wait', {}, { wait: 0 }, { wait: 'soon' }, { wait: -1 }, true],
    expected: '"reject" or { wait: <duration> }',
  },
  recovery: { values: [null, 'retry', true, {}], expected: '"refuse", "rerun" or a function' },
  retain: {
    values: [null, 0, -1, 'a day', '10', Number.NaN, Infinity, {}],
    expected: /duration|milliseconds/,
  },
  retainUnknown: { values: [null, 0, 'x'], expected: /duration|milliseconds/ },
  lease: { values: [null, 0, 5, '5ms', 'x'], expected: /duration|milliseconds/ },
  maxRun: { values: [null, 0, 'x'], expected: /duration|milliseconds/ },
  keep: { values: [null, 'keep', true], expected: 'a function' },
  onStoreError: { values: [null, 'ignore', true], expected: '"reject" or "bypass"' },
  storeTimeout: { values: [null, 0, 'x', -5], expected: /duration|milliseconds/ },
  storeKeys: { values: [null, 'no', 0], expected: 'true or false' },
  maxWaiters: { values: [null, -1, '5'], expected: 'whole number of at least 0' },
  replayHeaders: { values: [null, 'set-cookie', true], expected: /object/ },
  'replayHeaders.include': { values: ['set-cookie', [1]], expected: 'array of header names' },
  'replayHeaders.exclude': { values: ['set-cookie', [1]], expected: 'array of header names' },
  problems: { values: [null, '', 7], expected: 'a string that is not empty' },
  respond: { values: [null, 'json', true], expected: 'a function' },
  on: { values: [null, 'log'], expected: 'a function' },
  logger: {
    values: [null, {}, { info: () => {} }, 'console'],
    expected: 'an object with a warn(message) method',
  },
  silence: { values: [null, 'mounted-twice', ['everything']], expected: /array of codes \(.*mounted-twice/ },
  clock: { values: [null, {}, { now: () => 0 }], expected: 'a clock' },
}

describe('wrong options throw when the middleware is made', () => {
  const cases = Object.entries(wrong).flatMap(([option, { values, expected }]) =>
    values.map((value) => ({ option, value, expected })),
  )
  it.for(cases)('$option: $value', ({ option, value, expected }) => {
    const error = errorOf(() => idempotency(optionsWith(option, value)))
    expect(isIdempotencyError(error)).toBe(true)
    expect(error).toMatchObject({ code: 'invalid-option' })
    const message = error instanceof Error ? error.message : ''
    expect(message).toContain(`Option "${option}" must be`)
    expect(message).toMatch(expected)
  })

  it('an unknown name, with the names there are', () => {
    const options = { ...base, retainFor: '1h' }
    expect(() => idempotency(options)).toThrow(
      /^Unknown option "retainFor"\. The options are: .*\bretain, retainUnknown\b/,
    )
  })

  it('a name of Object.prototype is no option', () => {
    const options = { ...base, toString: () => '' }
    expect(() => idempotency(options)).toThrow(/Unknown option "toString"/)
  })

  it('an unknown name inside an option, with its path', () => {
    const options = optionsWith('replayHeaders.includes', [])
    expect(() => idempotency(options)).toThrow(/Unknown option "replayHeaders\.includes"/)
  })

  it('nothing at all', () => {
    for (const nothing of [undefined, null, 'x']) {
      expect(() => Reflect.apply(idempotency, undefined, [nothing])).toThrow(
        /Option "options" must be an object/,
      )
    }
    expect(() => Reflect.apply(idempotency, undefined, [{}])).toThrow(/Option "scope" must be/)
  })

  it('a safe method among the methods', () => {
    expect(() => idempotency({ ...base, methods: ['post', 'get'] })).toThrow(
      /Option "methods" must be .*"GET"/,
    )
  })

  it('a header of the framing among those to replay', () => {
    for (const name of ['Content-Length', 'transfer-encoding', 'Date', 'Connection']) {
      expect(() => idempotency({ ...base, replayHeaders: { include: [name] } })).toThrow(
        /Option "replayHeaders\.include" must be/,
      )
    }
  })

  it('takes every right value', () => {
    const right: ExpressOptions[] = [
      { ...base, scope: () => 'user', retain: '7d', retainUnknown: 5, lease: '10ms', maxRun: '1h' },
      { ...base, methods: ['PUT'], required: true, concurrent: { wait: '10s' }, recovery: 'rerun' },
      {
        ...base,
        methods: () => ['PUT'],
        required: () => true,
        concurrent: () => 'reject',
        recovery: () => 'refuse',
      },
      { ...base, maxRequestBytes: 0, maxResponseBytes: 0, maxKeyLength: 1, maxWaiters: 0, header: "X-Key'2" },
      {
        ...base,
        store: memoryStore(),
        silence: ['cors-after'],
        logger: console,
        on: () => {},
        keep: () => 'keep',
      },
      // Options that are spelled out as undefined have their default.
      Object.fromEntries(
        Object.keys(wrong)
          .filter((name) => !name.includes('.'))
          .map((name) => [name, name === 'scope' ? false : undefined]),
      ) as unknown as ExpressOptions,
    ]
    for (const options of right) expect(() => idempotency(options)).not.toThrow()
  })
})

const base = { scope: false } as const

function optionsWith(path: string, value: unknown): ExpressOptions {
  const [name = '', member] = path.split('.')
  const option = member === undefined ? value : { [member]: value }
  // Wrong on purpose: a program without types can pass anything.
  return { ...base, [name]: option }
}

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
