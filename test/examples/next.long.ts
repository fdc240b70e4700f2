// examples/next on a real `next build` and `next start`: route handlers and the pages API.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { installExample, order } from './installed.ts'

const data = mkdtempSync(join(tmpdir(), 'hapax-next-'))
afterAll(() => rmSync(data, { recursive: true }))

test('route handlers and the pages API of Next answer a retry with the first answer', async () => {
  const example = await installExample('next')
  const env = { DATA: data, NEXT_TELEMETRY_DISABLED: '1' }
  const next = `${example.folder}/node_modules/next/dist/bin/next`
  await example.exec([process.execPath, next, 'build'], env)
  const port = await freePort()
  const start = () => example.start([next, 'start', '-p', `${port}`, '-H', '127.0.0.1'], env, /Ready in/)
  const url = `http://127.0.0.1:${port}`
  const effects = async () => (await fetch(`${url}/effects`)).json()
  const server = await start()

  const answers = new Map<string, Awaited<ReturnType<typeof order>>>()
  for (const [index, path] of ['/api/orders', '/api/legacy-orders'].entries()) {
    const first = await order(url + path, path)
    answers.set(path, first)
    expect(first).toMatchObject({ status: 201, replayed: null, expires: true })
    expect(await order(url + path, path)).toEqual({ ...first, replayed: 'true' })
    expect(await order(url + path, path, 'another book')).toMatchObject({ status: 422 })
    expect(await effects()).toEqual({ count: index + 1 })
  }

  // A click and its impatient repetitions: they wait for the first one's answer.
  const many = await Promise.all(Array.from({ length: 20 }, () => order(`${url}/api/orders`, 'many')))
  expect(new Set(many.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
  expect(await effects()).toEqual({ count: 3 })

  await server.kill()
  await start()
  for (const [path, first] of answers) {
    expect(await order(url + path, path)).toEqual({ ...first, replayed: 'true' })
  }
  expect(await effects()).toEqual({ count: 3 })
}, 240_000)

/** `next start` does not tell which port it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
