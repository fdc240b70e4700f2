import { ClientError } from './errors.ts'
import { type SendContext, Submission, type SubmissionOptions, type SubmissionState } from './submission.ts'

/** The options of {@link idempotentForm} and {@link idempotentButton}. */
export interface ElementOptions<Data> extends SubmissionOptions {
  /** Is told each time the intent gets somewhere: show it. */
  onState?: (state: SubmissionState<Data>) => void
}

/** What {@link idempotentForm} and {@link idempotentButton} give. */
export interface BoundIntent<Data> {
  readonly state: SubmissionState<Data>
  /** Begins a new intent: the next click is another purchase, even of the same thing. */
  reset(): void
  /** Leaves the element alone from now on. A request that runs goes on. */
  detach(): void
}

/** The parts of an `HTMLFormElement` that are used. */
export interface FormLike {
  readonly action: string
  readonly method: string
  readonly enctype: string
  addEventListener(type: 'submit', listener: (event: SubmitEventLike) => void): void
  removeEventListener(type: 'submit', listener: (event: SubmitEventLike) => void): void
  setAttribute(name: string, value: string): void
}

interface SubmitEventLike {
  readonly submitter?: unknown
  preventDefault(): void
}

/** The parts of an `HTMLButtonElement` that are used. */
export interface ButtonLike {
  addEventListener(type: 'click', listener: () => void): void
  removeEventListener(type: 'click', listener: () => void): void
  setAttribute(name: string, value: string): void
}

/**
 * Sends a form under one key for one intent, instead of the browser. A second click joins the first, a click after a
 * failure repeats it, and a click after the outcome sends nothing until `reset()` or other input.
 *
 * The form is sent as its `action`, `method` and `enctype` say. While a request runs the form has `aria-busy="true"`.
 *
 * @param read Reads the answer. Throw for one that is no success.
 * @throws {ClientError} `invalid-option` for a form whose method is not `post`.
 * @example
 * idempotentForm(document.querySelector('form'), async (response) => {
 *   if (!response.ok) throw new Error(await response.text())
 *   return response.json()
 * }, { onState: ({ status, data, error }) => show(status, data, error) })
 */
export function idempotentForm<Data>(
  form: FormLike,
  read: (response: Response) => Promise<Data>,
  options: ElementOptions<Data> = {},
): BoundIntent<Data> {
  if (form.method !== 'post') {
    throw new ClientError('invalid-option', 'The form must have method="post": what a GET does needs no key.')
  }
  const submission = new Submission<FormData, Data>(async (data, { fetch }) => {
    const body = form.enctype === 'multipart/form-data' ? data : new URLSearchParams(textsOf(data))
    return read(await fetch(form.action, { method: form.method, body }))
  }, options)
  const onSubmit = (event: SubmitEventLike) => {
    event.preventDefault()
    // FormData takes the form itself; and the button, whose name and value are part of what is sent.
    const data = Reflect.construct(FormData, [form, event.submitter ?? null]) as FormData
    submission.submit(data, identityOf(data)).catch(() => {})
  }
  form.addEventListener('submit', onSubmit)
  return bind(form, submission, options, () => form.removeEventListener('submit', onSubmit))
}

/**
 * The same for a button without a form.
 *
 * @param send Sends with the `fetch` that it is given: that one has the key. Throw for an answer that is no success.
 * @example
 * idempotentButton(button, async ({ fetch }) => (await fetch('/refunds/17', { method: 'POST' })).json())
 */
export function idempotentButton<Data>(
  button: ButtonLike,
  send: (context: SendContext) => Promise<Data>,
  options: ElementOptions<Data> = {},
): BoundIntent<Data> {
  const submission = new Submission<undefined, Data>((_, context) => send(context), options)
  const onClick = () => void submission.submit(undefined, '').catch(() => {})
  button.addEventListener('click', onClick)
  return bind(button, submission, options, () => button.removeEventListener('click', onClick))
}

function bind<Variables, Data>(
  element: Pick<FormLike, 'setAttribute'>,
  submission: Submission<Variables, Data>,
  { onState }: ElementOptions<Data>,
  removeListener: () => void,
): BoundIntent<Data> {
  const unsubscribe = submission.subscribe(() => {
    element.setAttribute('aria-busy', String(submission.state.status === 'sending'))
    onState?.(submission.state)
  })
  return {
    get state() {
      return submission.state
    },
    reset: () => submission.reset(),
    detach() {
      removeListener()
      unsubscribe()
    },
  }
}

/** As browsers do it for a form that is not multipart: a file is its name. */
function textsOf(data: FormData): [string, string][] {
  return [...data].map(([name, value]) => [name, typeof value === 'string' ? value : value.name])
}

function identityOf(data: FormData): string {
  return JSON.stringify(
    [...data].map(([name, value]) => {
      if (typeof value === 'string') return [name, value]
      // A field without a file gives one without a name, made at this moment.
      const { name: fileName, size, lastModified } = value
      return fileName === '' ? [name] : [name, fileName, size, lastModified]
    }),
  )
}

export { type SendContext, type SubmissionOptions, type SubmissionState } from './submission.ts'
