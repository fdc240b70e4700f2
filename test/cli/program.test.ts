import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { runCli } from './run-cli.ts'

test('--help and --version answer and exit with 0', async () => {
  const manifest: unknown = JSON.parse(readFileSync('package.json', 'utf8'))
  const [help, version] = await Promise.all([runCli('--help'), runCli('--version')])
  expect(help).toMatchObject({ exitCode: 0, stderr: '' })
  expect(help.stdout).toMatch(/^Usage: hapax/)
  expect(help.stdout).toContain('demo [options]')
  expect(version).toEqual({ exitCode: 0, stdout: `${Object(manifest).version}\n`, stderr: '' })
})

test.each([
  [['dmo'], "unknown command 'dmo'"],
  [['demo', '--port', '99999'], 'Expected a whole number from 0 to 65535.'],
  [['demo', '--store', 'redis://localhost'], 'Expected sqlite:FILE (or just FILE), or memory.'],
  [['demo', '--intents', '5'], 'add --storm'],
  [['demo', '--port', '0', '--store', '/no/such/folder/x.db'], 'the folder "/no/such/folder" does not exist'],
])('%j is refused with a sentence and exit code 2', async (options, sentence) => {
  const { exitCode, stdout, stderr } = await runCli(...options)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain(sentence)
  expect(stderr).not.toContain('    at ')
})

test('a port that is taken is named, with the way out', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  // A server that listens on TCP has an address of this type.
  const { port } = other.address() as AddressInfo
  const { exitCode, stderr } = await runCli('demo', '--port', String(port))
  other.close()
  expect(exitCode).toBe(2)
  expect(stderr).toBe(
    `hapax: Port ${port} is taken by another program. Stop it, or choose another port: --port 0 takes any that is free.\n`,
  )
})
