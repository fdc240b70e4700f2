import { expect, it } from 'vitest'
import { memoryStore } from '../../../src/stores/memory.ts'
import { exchange, headerOf, jsonOf, linesOf, RawConnection } from '../raw-http.ts'
import { countingStore } from '../stores.ts'
import { type AdapterSubject, counter, post } from './subject.ts'

/** Values that are not a key, with what is wrong about them. `\u00xx` goes out as that byte. */
const malformed: Record<string, string[]> = {
  empty: [''],
  'white space': [' \t '],
  'an empty String': ['""'],
  'a blank String': ['"  "'],
  'an open quote': ['"abc'],
  'a closing quote only': ['abc"'],
  'text after the String': ['"abc" def'],
  'a bad escape': ['"a\\b"'],
  'two members': ['"a", "b"'],
  'a comma': ['a,b'],
  'white space inside': ['a b'],
  'a Latin-1 byte': ['caf\u00e9'],
  'UTF-8 bytes': [Buffer.from('clé').toString('latin1')],
  'a Latin-1 byte in a String': ['"caf\u00e9"'],
  'a semicolon': ['abc;def'],
  'angle brackets': ['<script>'],
  'a quotation mark of another kind': ["'abc'"],
  'a brace': ['{abc}'],
  'an integer in a List': ['(1 2)'],
  'too long': ['k'.repeat(256)],
  'too long in a String': [`"${'k'.repeat(256)}"`],
  'two equal lines': ['abc', 'abc'],
  'two lines': ['abc', 'def'],
  'an empty line and a key': ['', 'abc'],
}

const wellFormed = [
  'a',
  '"a"',
  'k'.repeat(255),
  'A-Za.z_0~9:/+=@-',
  '"with space, comma and \\"quote\\""',
  '"a";v=1',
]

export function keyCases(subject: AdapterSubject): void {
  it('answers 400 to every malformed key, and neither runs nor reaches the store', async () => {
    const { store, total } = countingStore(memoryStore())
    const { handler, runs } = counter()
    const server = await subject.start({ scope: false, store }, handler)
    for (const [what, lines] of Object.entries(malformed)) {
      const headers = lines.map((value) => ['Idempotency-Key', value] as const)
      const answer = await exchange(server.port, { headers, body: 'x' })
      expect({ what, status: answer.status }).toEqual({ what, status: 400 })
      expect(headerOf(answer, 'Content-Type')).toBe('application/problem+json')
      expect(jsonOf(answer)).toMatchObject({
        type: 'urn:hapax:problem:malformed-key',
        code: 'malformed-key',
        status: 400,
        retryable: false,
      })
      expect(answer.body.toString()).not.toContain('script')
    }
    expect(total()).toBe(0)
    expect(runs()).toBe(0)
  })

  it('takes every well-formed key', async () => {
    const { handler, runs } = counter()
    const server = await subject.start({ scope: false }, handler)
    for (const key of wellFormed) expect((await post(server, { key })).status).toBe(201)
    // `a`, `"a"` and `"a";v=1` are one key.
    expect(runs()).toBe(wellFormed.length - 2)
  })

  it('tells keys apart by case, and header names not', async () => {
    const { handler, runs } = counter()
    const server = await subject.start({ scope: false }, handler)
    await post(server, { key: 'abc' })
    await post(server, { key: 'ABC' })
    expect(runs()).toBe(2)
    await post(server, { headers: [['iDEMPOTENCY-kEY', 'abc']] })
    expect(runs()).toBe(2)
  })

  it('takes the key from another header or from a function', async () => {
    const { handler, runs } = counter()
    const other = await subject.start({ scope: false, header: 'X-Request-Key' }, handler)
    for (let turn = 0; turn < 2; turn += 1) await post(other, { headers: [['X-Request-Key', 'abc']] })
    expect(runs()).toBe(1)
    await post(other, { key: 'abc' })
    expect(runs()).toBe(2)

    const event = await subject.start({ scope: false, key: (req) => req.header('x-event') }, handler)
    for (let turn = 0; turn < 2; turn += 1) await post(event, { headers: [['X-Event', 'evt 1']] })
    expect(runs()).toBe(3)
    expect((await post(event, { headers: [['X-Event', ' ']] })).status).toBe(400)
    await post(event, {})
    expect(runs()).toBe(4)
  })

  it('leaves safe methods alone', async () => {
    const seen: unknown[] = []
    const { store, total } = countingStore(memoryStore())
    const server = await subject.start({ scope: false, store }, (request) => {
      seen.push(request.idempotency)
      return { kind: 'json', status: 200, value: {} }
    })
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await exchange(server.port, { method, headers: [['Idempotency-Key', 'k1']] })
        expect(linesOf(answer, 'Idempotency-Expires')).toEqual([])
      }
    }
    expect(seen).toEqual(Array.from({ length: 10 }))
    expect(total()).toBe(0)
  })

  it('guards POST and PATCH by default, and the methods it is told to', async () => {
    const { handler, runs } = counter()
    const byDefault = await subject.start({ scope: false }, handler)
    for (const method of ['POST', 'POST', 'PATCH', 'PATCH']) await post(byDefault, { method, key: method })
    expect(runs()).toBe(2)
    const putOnly = await subject.start({ scope: false, methods: ['put'] }, handler)
    for (const method of ['PUT', 'PUT', 'POST', 'POST']) await post(putOnly, { method, key: method })
    expect(runs()).toBe(5)
  })

  it('passes through what `skip` says', async () => {
    const { handler, runs } = counter()
    const server = await subject.start(
      { scope: false, skip: (req) => req.header('x-skip') !== undefined },
      handler,
    )
    for (let turn = 0; turn < 2; turn += 1) await post(server, { key: 'k1', headers: [['X-Skip', '1']] })
    expect(runs()).toBe(2)
  })

  it('runs a request without key each time, with an object that protects nothing', async () => {
    const seen: unknown[] = []
    const server = await subject.start({ scope: false }, ({ idempotency }) => {
      idempotency.release()
      idempotency.keep()
      expect(() => idempotency.derive('charge')).toThrow(expect.objectContaining({ code: 'unkeyed' }))
      const { key, scope, attempt, token, signal } = idempotency
      seen.push({ key, scope, attempt, token, aborted: signal.aborted })
      return { kind: 'json', status: 201, value: {} }
    })
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await post(server)
      expect(answer.status).toBe(201)
      expect(linesOf(answer, 'Idempotency-Expires')).toEqual([])
    }
    const bare = { key: undefined, scope: undefined, attempt: 1, token: undefined, aborted: false }
    expect(seen).toEqual([bare, bare])
  })

  it('shows the handler its key, scope, attempt, token and derived keys', async () => {
    const seen: Array<{ token: number | undefined; derived: string }> = []
    const server = await subject.start({ scope: (req) => req.header('x-user') }, ({ idempotency }) => {
      const { key, scope, attempt, token } = idempotency
      expect({ key, scope, attempt: attempt - seen.length }).toEqual({ key: 'k 1', scope: 'ann', attempt: 1 })
      expect(idempotency.derive('charge')).not.toBe(idempotency.derive('mail'))
      seen.push({ token, derived: idempotency.derive('charge') })
      idempotency.release()
      return { kind: 'json', status: 201, value: {} }
    })
    for (let turn = 0; turn < 2; turn += 1) {
      expect((await post(server, { key: '"k 1"', user: 'ann' })).status).toBe(201)
    }
    expect(seen[0]?.derived).toMatch(/^[\w-]{43}$/)
    expect(seen[1]?.derived).toBe(seen[0]?.derived)
    expect(seen[1]?.token).toBeGreaterThan(seen[0]?.token ?? 0)
  })

  it('asks for a key where one is required', async () => {
    const { handler, runs } = counter()
    const server = await subject.start(
      { scope: false, required: (req) => req.header('x-user') !== 'old' },
      handler,
    )
    const refused = await post(server, { user: 'new' })
    expect(refused.status).toBe(400)
    expect(jsonOf(refused)).toMatchObject({ code: 'missing-key' })
    expect((await post(server, { user: 'old' })).status).toBe(201)
    expect(runs()).toBe(1)
  })

  it('keeps two callers with one key apart', async () => {
    const { handler, runs } = counter()
    const server = await subject.start({ scope: (req) => req.header('x-user') }, handler)
    const [ann, bob] = [
      await post(server, { key: 'k1', user: 'ann' }),
      await post(server, { key: 'k1', user: 'bob' }),
    ]
    expect([jsonOf(ann), jsonOf(bob)]).toEqual([{ run: 1 }, { run: 2 }])
    // Neither may learn from a 422 that the other uses this key.
    expect((await post(server, { key: 'k1', user: 'eve', value: { item: 99 } })).status).toBe(201)
    expect(jsonOf(await post(server, { key: 'k1', user: 'ann' }))).toEqual({ run: 1 })
    expect(runs()).toBe(3)
  })

  it.for([
    ['undefined', undefined],
    ['null', null],
    ['an empty string', ''],
    ['NaN', Number.NaN],
    ['false', false],
    ['true', true],
    ['a promise', Promise.resolve('ann')],
    ['an object', { id: 1 }],
  ] as const)('does not run when the scope is %s', async ([, scope]) => {
    const { handler, runs } = counter()
    const { store, total } = countingStore(memoryStore())
    // A program without types can return anything.
    const server = await subject.start({ scope: () => scope as string, store }, handler)
    const answer = await post(server, { key: 'k1' })
    expect(answer.status).toBe(500)
    expect(jsonOf(answer)).toMatchObject({ code: 'scope-missing' })
    expect(runs()).toBe(0)
    expect(total()).toBe(0)
  })

  it('does not run when the scope throws', async () => {
    const { handler, runs } = counter()
    const { store, total } = countingStore(memoryStore())
    const server = await subject.start(
      {
        store,
        scope() {
          throw new Error('no session')
        },
      },
      handler,
    )
    expect((await post(server, { key: 'k1' })).status).toBe(500)
    expect(runs()).toBe(0)
    expect(total()).toBe(0)
  })

  it('keeps the connection usable after a refusal of a request with a body', async () => {
    const server = await subject.start({ scope: false }, counter().handler)
    const connection = await RawConnection.open(server.port)
    for (let turn = 0; turn < 3; turn += 1) {
      connection.send({ headers: [['Idempotency-Key', '']], body: Buffer.alloc(200_000, 'x') })
      expect((await connection.answer()).status).toBe(400)
    }
    connection.close()
  })
}
