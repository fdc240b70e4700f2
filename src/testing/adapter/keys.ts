import assert from 'node:assert/strict'
import { exchange, headerOf, jsonOf, linesOf, RawConnection } from './raw-http.ts'
import { countingStore } from './stores.ts'
import { assertMembers, type AdapterCase, counter, post } from './subject.ts'

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

export const keyCases: readonly AdapterCase[] = [
  {
    name: 'answers 400 to every malformed key, and neither runs nor reaches the store',
    async run(kit) {
      const { store, total } = countingStore(kit.createStore())
      const { handler, runs } = counter()
      const server = await kit.start({ scope: false, store }, handler)
      for (const [what, lines] of Object.entries(malformed)) {
        const headers = lines.map((value) => ['Idempotency-Key', value] as const)
        const answer = await exchange(server.port, { headers, body: 'x' })
        assert.deepEqual({ what, status: answer.status }, { what, status: 400 })
        assert.equal(headerOf(answer, 'Content-Type'), 'application/problem+json')
        assertMembers(jsonOf(answer), {
          type: 'urn:hapax:problem:malformed-key',
          code: 'malformed-key',
          status: 400,
          retryable: false,
        })
        assert(!answer.body.toString().includes('script'))
      }
      assert.equal(total(), 0)
      assert.equal(runs(), 0)
    },
  },

  {
    name: 'takes every well-formed key',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start({ scope: false }, handler)
      for (const key of wellFormed) assert.equal((await post(server, { key })).status, 201)
      // `a`, `"a"` and `"a";v=1` are one key.
      assert.equal(runs(), wellFormed.length - 2)
    },
  },

  {
    name: 'tells keys apart by case, and header names not',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start({ scope: false }, handler)
      await post(server, { key: 'abc' })
      await post(server, { key: 'ABC' })
      assert.equal(runs(), 2)
      await post(server, { headers: [['iDEMPOTENCY-kEY', 'abc']] })
      assert.equal(runs(), 2)
    },
  },

  {
    name: 'takes the key from another header or from a function',
    async run(kit) {
      const { handler, runs } = counter()
      const other = await kit.start({ scope: false, header: 'X-Request-Key' }, handler)
      for (let turn = 0; turn < 2; turn += 1) await post(other, { headers: [['X-Request-Key', 'abc']] })
      assert.equal(runs(), 1)
      await post(other, { key: 'abc' })
      assert.equal(runs(), 2)

      const event = await kit.start({ scope: false, key: (req) => req.header('x-event') }, handler)
      for (let turn = 0; turn < 2; turn += 1) await post(event, { headers: [['X-Event', 'evt 1']] })
      assert.equal(runs(), 3)
      assert.equal((await post(event, { headers: [['X-Event', ' ']] })).status, 400)
      await post(event, {})
      assert.equal(runs(), 4)
    },
  },

  {
    name: 'leaves safe methods alone',
    async run(kit) {
      const seen: unknown[] = []
      const { store, total } = countingStore(kit.createStore())
      const server = await kit.start({ scope: false, store }, (request) => {
        seen.push(request.idempotency)
        return { kind: 'json', status: 200, value: {} }
      })
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
        for (let turn = 0; turn < 2; turn += 1) {
          const answer = await exchange(server.port, { method, headers: [['Idempotency-Key', 'k1']] })
          assert.deepEqual(linesOf(answer, 'Idempotency-Expires'), [])
        }
      }
      assert.deepEqual(seen, Array.from({ length: 10 }))
      assert.equal(total(), 0)
    },
  },

  {
    name: 'guards POST and PATCH by default, and the methods it is told to',
    async run(kit) {
      const { handler, runs } = counter()
      const byDefault = await kit.start({ scope: false }, handler)
      for (const method of ['POST', 'POST', 'PATCH', 'PATCH']) await post(byDefault, { method, key: method })
      assert.equal(runs(), 2)
      const putOnly = await kit.start({ scope: false, methods: ['put'] }, handler)
      for (const method of ['PUT', 'PUT', 'POST', 'POST']) await post(putOnly, { method, key: method })
      assert.equal(runs(), 5)
    },
  },

  {
    name: 'passes through what `skip` says',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start(
        { scope: false, skip: (req) => req.header('x-skip') !== undefined },
        handler,
      )
      for (let turn = 0; turn < 2; turn += 1) await post(server, { key: 'k1', headers: [['X-Skip', '1']] })
      assert.equal(runs(), 2)
    },
  },

  {
    name: 'runs a request without key each time, with an object that protects nothing',
    async run(kit) {
      const seen: unknown[] = []
      const server = await kit.start({ scope: false }, ({ idempotency }) => {
        idempotency.release()
        idempotency.keep()
        assert.throws(() => idempotency.derive('charge'), { code: 'unkeyed' })
        const { key, scope, attempt, token, signal } = idempotency
        seen.push({ key, scope, attempt, token, aborted: signal.aborted })
        return { kind: 'json', status: 201, value: {} }
      })
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(server)
        assert.equal(answer.status, 201)
        assert.deepEqual(linesOf(answer, 'Idempotency-Expires'), [])
      }
      const bare = { key: undefined, scope: undefined, attempt: 1, token: undefined, aborted: false }
      assert.deepEqual(seen, [bare, bare])
    },
  },

  {
    name: 'shows the handler its key, scope, attempt, token and derived keys',
    async run(kit) {
      const seen: Array<{ token: number | undefined; derived: string }> = []
      const server = await kit.start({ scope: (req) => req.header('x-user') }, ({ idempotency }) => {
        const { key, scope, attempt, token } = idempotency
        assert.deepEqual(
          { key, scope, attempt: attempt - seen.length },
          { key: 'k 1', scope: 'ann', attempt: 1 },
        )
        assert.notEqual(idempotency.derive('charge'), idempotency.derive('mail'))
        seen.push({ token, derived: idempotency.derive('charge') })
        idempotency.release()
        return { kind: 'json', status: 201, value: {} }
      })
      for (let turn = 0; turn < 2; turn += 1) {
        assert.equal((await post(server, { key: '"k 1"', user: 'ann' })).status, 201)
      }
      assert.match(seen[0]?.derived ?? '', /^[\w-]{43}$/)
      assert.equal(seen[1]?.derived, seen[0]?.derived)
      assert((seen[1]?.token ?? 0) > (seen[0]?.token ?? 0))
    },
  },

  {
    name: 'asks for a key where one is required',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start(
        { scope: false, required: (req) => req.header('x-user') !== 'old' },
        handler,
      )
      const refused = await post(server, { user: 'new' })
      assert.equal(refused.status, 400)
      assertMembers(jsonOf(refused), { code: 'missing-key' })
      assert.equal((await post(server, { user: 'old' })).status, 201)
      assert.equal(runs(), 1)
    },
  },

  {
    name: 'keeps two callers with one key apart',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start({ scope: (req) => req.header('x-user') }, handler)
      const [ann, bob] = [
        await post(server, { key: 'k1', user: 'ann' }),
        await post(server, { key: 'k1', user: 'bob' }),
      ]
      assert.deepEqual([jsonOf(ann), jsonOf(bob)], [{ run: 1 }, { run: 2 }])
      // Neither may learn from a 422 that the other uses this key.
      assert.equal((await post(server, { key: 'k1', user: 'eve', value: { item: 99 } })).status, 201)
      assert.deepEqual(jsonOf(await post(server, { key: 'k1', user: 'ann' })), { run: 1 })
      assert.equal(runs(), 3)
    },
  },

  ...(
    [
      ['undefined', undefined],
      ['null', null],
      ['an empty string', ''],
      ['NaN', Number.NaN],
      ['false', false],
      ['true', true],
      ['a promise', Promise.resolve('ann')],
      ['an object', { id: 1 }],
    ] as const
  ).map(
    ([what, scope]): AdapterCase => ({
      name: `does not run when the scope is ${what}`,
      async run(kit) {
        const { handler, runs } = counter()
        const { store, total } = countingStore(kit.createStore())
        // A program without types can return anything.
        const server = await kit.start({ scope: () => scope as string, store }, handler)
        const answer = await post(server, { key: 'k1' })
        assert.equal(answer.status, 500)
        assertMembers(jsonOf(answer), { code: 'scope-missing' })
        assert.equal(runs(), 0)
        assert.equal(total(), 0)
      },
    }),
  ),

  {
    name: 'does not run when the scope throws',
    async run(kit) {
      const { handler, runs } = counter()
      const { store, total } = countingStore(kit.createStore())
      const server = await kit.start(
        {
          store,
          scope() {
            throw new Error('no session')
          },
        },
        handler,
      )
      assert.equal((await post(server, { key: 'k1' })).status, 500)
      assert.equal(runs(), 0)
      assert.equal(total(), 0)
    },
  },

  {
    name: 'keeps the connection usable after a refusal of a request with a body',
    async run(kit) {
      const server = await kit.start({ scope: false }, counter().handler)
      const connection = await RawConnection.open(server.port)
      for (let turn = 0; turn < 3; turn += 1) {
        connection.send({ headers: [['Idempotency-Key', '']], body: Buffer.alloc(200_000, 'x') })
        assert.equal((await connection.answer()).status, 400)
      }
      connection.close()
    },
  },
]
