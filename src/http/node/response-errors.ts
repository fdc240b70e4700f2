// The errors that Node's own response would give, with their codes: handlers and libraries tell them by code.

/** The status as a number, as `writeHead` takes it. */
export function validStatus(given: unknown): number {
  // Node takes what converts to a number, and drops a fraction.
  const status = Math.trunc(Number(given))
  if (status >= 100 && status <= 999) return status
  throw coded(new RangeError(`Invalid status code: ${String(given)}`), 'ERR_HTTP_INVALID_STATUS_CODE')
}

export function headersSentError(action: string): Error {
  return coded(
    new Error(`Cannot ${action} headers after they are sent to the client`),
    'ERR_HTTP_HEADERS_SENT',
  )
}

export function writeAfterEnd(): Error {
  return coded(new Error('write after end'), 'ERR_STREAM_WRITE_AFTER_END')
}

export function destroyed(): Error {
  return coded(new Error('Cannot call write after a stream was destroyed'), 'ERR_STREAM_DESTROYED')
}

export function alreadyFinished(): Error {
  return coded(new Error('Cannot call end after a stream was finished'), 'ERR_STREAM_ALREADY_FINISHED')
}

function coded(error: Error, code: string): Error {
  return Object.assign(error, { code })
}
