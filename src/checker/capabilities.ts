import type { Capability } from './model.ts'
import { isJsonBody } from './target.ts'
import type { Lab } from './trial.ts'

/** What the target has, by what the user said and what was found out. */
export function availableCapabilities(lab: Lab): ReadonlySet<Capability> {
  const { target, facts } = lab
  const { options } = target
  const hooks = options.hooks ?? {}
  const canKill = hooks.kill !== undefined && hooks.start !== undefined
  const shortMs = options.retentionMs !== undefined && options.retentionMs <= 5000
  const own = target.headers.some(([name]) => target.credentialNames.includes(name.toLowerCase()))
  const table: Record<Capability, boolean> = {
    probe: target.probe !== undefined,
    slow: target.slow !== undefined,
    fixture: options.fixture === true,
    'key-required': facts.keyRequired,
    'key-optional': !facts.keyRequired,
    'key-in-header': target.key.kind === 'header',
    'raw-keys': facts.rawKeys && facts.keyForm === 'quoted',
    credentials: own,
    'second-tenant': target.tenant !== undefined,
    'second-credential': target.colleague !== undefined,
    'second-url': target.secondOrigin !== undefined,
    http2: facts.http2 !== undefined,
    'short-retention': target.retentionKnob !== undefined || shortMs,
    restart: hooks.restart !== undefined,
    kill: canKill,
    terminate: hooks.terminate !== undefined && hooks.start !== undefined,
    'store-outage': hooks.storeDown !== undefined && hooks.storeUp !== undefined,
    gateway: options.gateway === true,
    json: isJsonBody(target.body),
    patch: options.patch !== undefined,
    resource: options.resource !== undefined,
    long: lab.long,
    docs: options.docs !== undefined,
  }
  // Object.entries loses the key type; the table above has exactly these keys.
  return new Set(Object.entries(table).flatMap(([name, has]) => (has ? [name as Capability] : [])))
}

/** What a skipped row says: the capability it lacks, and how to give it. */
export const howToEnable: Record<Capability, string> = {
  probe: "needs a counter of effects: --probe 'URL#/pointer'",
  slow: "needs an operation that takes a second: --slow '?delayMs={{ms}}' (or a header, or a JSON member)",
  fixture: 'needs the reference fixture: --fixture',
  'key-required': 'the key is optional here',
  'key-optional': 'the key is required here',
  'key-in-header': 'the key is in a JSON member here',
  'raw-keys': 'only one form of key is taken here',
  credentials: "needs credentials to take away: -H 'Authorization: …'",
  'second-tenant': "needs another tenant's credentials: --second-tenant 'Authorization: …'",
  'second-credential':
    "needs another credential of the same principal: --second-credential 'Authorization: …'",
  'second-url': 'needs a second instance over the same store: --second-url URL',
  http2: 'needs HTTP/2: an https:// target that speaks it, or --http2-url URL',
  'short-retention':
    "needs a retention of at most 5 s: --retention 2s or --retention-knob '?retainMs={{ms}}'",
  restart: 'needs hooks.restart in the config file',
  kill: 'needs hooks.kill and hooks.start in the config file',
  terminate: 'needs hooks.terminate and hooks.start in the config file',
  'store-outage': 'needs hooks.storeDown and hooks.storeUp in the config file',
  gateway: 'needs a gateway before the reference fixture: --gateway',
  json: 'needs a JSON body: --data',
  patch: 'needs a PATCH operation: patch in the config file',
  resource:
    "needs to know where a created resource is: resource in the config file, such as '/orders/{{witness}}'",
  long: 'takes long: --long',
  docs: 'needs the documentation: --docs URL',
}
