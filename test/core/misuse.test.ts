import { afterEach, expect, test, vi } from 'vitest'
import { Engine } from '../../src/core/engine.ts'
import { Misuse, misuseTexts, processWarnings, safely } from '../../src/core/misuse.ts'
import { Sealing } from '../../src/core/sealing.ts'
import { createRig } from '../support/engine-rig.ts'

const processWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})

afterEach(() => {
  vi.unstubAllEnvs()
  processWarning.mockClear()
})

test('a memory store in production is reported once for each engine', () => {
  vi.stubEnv('NODE_ENV', 'production')
  const rig = createRig()
  expect(rig.warnings).toEqual([
    `${misuseTexts['memory-store-in-production']} [memory-store-in-production: docs/misuse.md#memory-store-in-production]`,
  ])
  rig.engine.misuse.report('memory-store-in-production')
  expect(rig.warnings).toHaveLength(1)
})

test('nothing is reported elsewhere, when silenced, or for a durable store', () => {
  expect(createRig().warnings).toEqual([])
  vi.stubEnv('NODE_ENV', 'production')
  const silent = createRig({ silence: ['memory-store-in-production'] })
  expect(silent.warnings).toEqual([])
  const store = { ...silent.link.store, durable: true }
  expect(createRig({ beside: { ...silent, store } }).warnings.filter((text) => /memory/.test(text))).toEqual(
    [],
  )
})

test('each code is reported once, and silence is for one code', () => {
  const warnings: string[] = []
  const misuse = new Misuse({ warn: (message) => void warnings.push(message) }, ['mounted-twice'])
  for (const code of ['mounted-twice', 'cors-after', 'cors-after', 'response-began'] as const)
    misuse.report(code)
  expect(warnings.map((text) => /\[(.*?):/.exec(text)?.[1])).toEqual(['cors-after', 'response-began'])
})

test('the default logger is a process warning', () => {
  processWarnings.warn('careful')
  expect(processWarning).toHaveBeenCalledWith('careful', { type: 'HapaxWarning' })
})

test('a logger that throws loses nothing and breaks nothing', () => {
  const logger = {
    warn() {
      throw new Error('disk full')
    },
  }
  safely(logger).warn('careful')
  expect(processWarning).toHaveBeenCalledWith('careful', { type: 'HapaxWarning' })
  vi.stubEnv('NODE_ENV', 'production')
  const { link, clock } = createRig({ silence: ['memory-store-in-production'] })
  const settings = {
    storeTimeoutMs: 1,
    journal: undefined,
    sealing: new Sealing([], []),
    onStoreError: 'reject',
    storeKeys: true,
    maxWaiters: 1,
  } as const
  const engine = new Engine({ ...settings, store: link.store, clock, logger, silence: [], on: undefined })
  expect(engine).toBeInstanceOf(Engine)
})
