import type { Decision } from '../core/decision.ts'
import type { Engine } from '../core/engine.ts'
import { nameAndMessage } from '../core/errors.ts'
import { callSettings, type RunValues } from '../core/options.ts'
import type { CallSettings, Reconcile, Scope } from '../core/settings.ts'
import { type StepRunner, unprotectedSteps } from '../core/steps.ts'
import type { Unsubscribe } from '../core/store.ts'
import { customFingerprint, type Fingerprint, fingerprintOf } from '../protocol/fingerprint.ts'
import { boundaryOf, mediaTypeEssence } from '../protocol/headers.ts'
import { checkKey, type ParsedKey, parseKey } from '../protocol/key.ts'
import type { ProblemCode } from '../protocol/codes.ts'
import { createProblem } from '../protocol/problem.ts'
import type { HttpSettings } from './options.ts'
import { recordedAnswer } from './recovery-answer.ts'
import { sendable } from './sendable.ts'

/** One request, as its adapter shows it. */
export interface RequestView<Request> {
  readonly native: Request
  readonly method: string
  /** Path and query as the client sent them, before any router took a part away. */
  readonly target: string
  readonly contentType: string | undefined
  /** Every field line of that name (in lower case), in order. */
  fieldLines(name: string): readonly string[]
  body(maxBytes: number): RequestBody | Promise<RequestBody>
  onGone(listener: () => void): Unsubscribe
}

export type RequestBody =
  /** `decoded`: the bytes without their Content-Encoding; `bytes` as they arrived. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly decoded: Uint8Array }
  /** A parser ran before hapax and left this. */
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'consumed' }
  /** The client left before its request was whole. */
  | { readonly kind: 'incomplete' }

export type Admission =
  | Decision
  /** A guarded method without a key, where none is required. */
  | { readonly kind: 'unkeyed' }
  /** Nobody is there to be answered, and nothing was claimed. */
  | { readonly kind: 'gone' }

/** Takes a request from its key to the engine's decision: the HTTP half of the protocol. */
export class Guard<Request> {
  readonly engine: Engine
  readonly settings: HttpSettings<Request>
  /** The steps of requests that nothing protects. */
  readonly unprotected: StepRunner
  #common: { readonly values: RunValues; readonly settings: CallSettings } | undefined

  constructor(engine: Engine, settings: HttpSettings<Request>) {
    this.engine = engine
    this.settings = settings
    this.unprotected = unprotectedSteps(engine.journal)
  }

  /** Synchronous, so that requests that are not guarded cost nothing. */
  guards(request: Request, method: string | undefined): boolean {
    const { methods, skip } = this.settings
    return method !== undefined && methods(request).includes(method) && skip?.(request) !== true
  }

  /** At once where there is nothing to claim, so that requests without a key cost nothing. */
  admit(view: RequestView<Request>): Admission | Promise<Admission> {
    const { settings } = this
    const parsed = this.#key(view)
    if (parsed.kind === 'malformed') {
      return this.#refuse('malformed-key', `The idempotency key can not be used: ${parsed.reason}.`)
    }
    if (parsed.kind === 'absent') {
      return settings.required(view.native) ? this.#refuse('missing-key') : { kind: 'unkeyed' }
    }
    const scope = this.#scope(view.native)
    if (scope === undefined) return this.#refuse('scope-missing')
    return this.#admitKeyed(view, parsed.key, scope)
  }

  // No async functions: each request passes here.
  #admitKeyed(view: RequestView<Request>, key: string, scope: Scope): Admission | Promise<Admission> {
    const body = view.body(this.settings.maxRequestBytes)
    if (body instanceof Promise) return body.then((whole) => this.#admitWhole(view, key, scope, whole))
    return this.#admitWhole(view, key, scope, body)
  }

  #admitWhole(
    view: RequestView<Request>,
    key: string,
    scope: Scope,
    body: RequestBody,
  ): Admission | Promise<Admission> {
    switch (body.kind) {
      case 'too-large':
        return this.#refuse('body-too-large')
      case 'consumed':
        return this.#refuse('body-consumed')
      case 'incomplete':
        return { kind: 'gone' }
    }
    const deciding = this.engine.begin({
      key,
      scope,
      fingerprint: this.#fingerprint(view, body),
      settings: this.#callSettings(view.native),
      onGone: (listener) => view.onGone(listener),
    })
    return deciding.then(this.#sendable)
  }

  /** A recorded answer that can't be sent must not look like one that never was. */
  readonly #sendable = (decision: Decision): Admission =>
    decision.kind === 'replay' ? this.#replay(decision) : decision

  /** What the `keep` option says. One that throws must not lose an answer: the built-in rules apply. */
  keepVerdict(status: number): 'keep' | 'release' | undefined {
    try {
      return this.settings.keep?.({ status })
    } catch (error) {
      const { name, message } = nameAndMessage(error)
      this.engine.logger.warn(`The "keep" option threw on status ${status}: ${name}: ${message}`)
      return undefined
    }
  }

  #key(view: RequestView<Request>): ParsedKey {
    const { key, header, maxKeyLength } = this.settings
    if (key === undefined) return parseKey(view.fieldLines(header), { maxLength: maxKeyLength })
    const given = key(view.native)
    if (given === undefined || given === null) return { kind: 'absent' }
    if (typeof given === 'string') return checkKey(given, { maxLength: maxKeyLength })
    throw new TypeError('The "key" option must return a string, or undefined where there is no key.')
  }

  /** Anything but a name or a number would make one scope of many callers; so would a promise of either. */
  #scope(request: Request): Scope | undefined {
    const { scope } = this.settings
    if (scope === false) return false
    const principal: unknown = scope(request)
    if (typeof principal === 'string' && principal !== '') return principal
    return typeof principal === 'number' && Number.isFinite(principal) ? principal : undefined
  }

  #fingerprint(
    view: RequestView<Request>,
    body: Extract<RequestBody, { kind: 'bytes' | 'value' }>,
  ): Fingerprint {
    const { fingerprint } = this.settings
    if (fingerprint !== undefined) {
      return customFingerprint(fingerprint(view.native, body.kind === 'bytes' ? body.bytes : undefined))
    }
    const { method, target, contentType } = view
    const boundary = boundaryOf(contentType)
    return fingerprintOf({
      method,
      target,
      mediaType: mediaTypeEssence(contentType),
      body:
        body.kind === 'value'
          ? body
          : { kind: 'bytes', bytes: body.decoded, ...(boundary !== undefined && { boundary }) },
    })
  }

  #callSettings(request: Request): CallSettings {
    const { retain, retainUnknown, lease, maxRun, concurrent, recovery } = this.settings
    const values = {
      retain: retain(request),
      retainUnknown: retainUnknown(request),
      lease: lease(request),
      maxRun: maxRun(request),
      concurrent: concurrent(request),
    }
    if (typeof recovery !== 'function') return this.#commonSettings(values, recovery)
    const ask: Reconcile = async ({ takeover, ...context }) => {
      const failure = takeover.of === 'failed' ? takeover.response : undefined
      const verdict = await recovery({ ...context, request, failure })
      return typeof verdict === 'object' ? recordedAnswer(verdict, this.settings.replayHeaders) : verdict
    }
    return callSettings(values, ask)
  }

  /** Most requests of a guard have the same settings, and running ones hold theirs. */
  #commonSettings(values: RunValues, recovery: 'refuse' | 'rerun'): CallSettings {
    if (this.#common === undefined || !isSame(this.#common.values, values)) {
      this.#common = { values, settings: callSettings(values, recovery) }
    }
    return this.#common.settings
  }

  #replay(decision: Extract<Decision, { kind: 'replay' }>): Admission {
    const response = sendable(decision.response)
    if (response !== undefined) return { ...decision, response }
    return { ...this.#refuse('response-not-kept', unsendable), expiresAtMs: decision.expiresAtMs }
  }

  #refuse(code: ProblemCode, detail?: string): Extract<Decision, { kind: 'reject' }> {
    this.engine.events.emit({ type: 'refused', code })
    return { kind: 'reject', problem: createProblem(code, detail === undefined ? {} : { detail }) }
  }
}

function isSame(a: RunValues, b: RunValues): boolean {
  return (
    a.retain === b.retain &&
    a.retainUnknown === b.retainUnknown &&
    a.lease === b.lease &&
    a.maxRun === b.maxRun &&
    a.concurrent === b.concurrent
  )
}

const unsendable =
  'The earlier request with this key ended, but its recorded response is damaged. Read the resource to see the result; do not send the request with a new key.'
