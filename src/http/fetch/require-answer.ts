import { lightBodyOf } from './light.ts'

/**
 * Found out while it is recorded, what is no answer would leave its key in progress. By shape: frameworks bring
 * classes of their own.
 */
export function requireAnswer(answer: Response | undefined): Response {
  // A handler without types may return anything.
  const headers: unknown = answer?.headers
  if (
    answer === undefined ||
    typeof headers !== 'object' ||
    headers === null ||
    !('getSetCookie' in headers)
  ) {
    throw new TypeError('The handler must return a Response, and returned something else.')
  }
  if (answer.status < 200 || answer.status > 599) {
    throw new TypeError(
      `The handler returned a Response with the status ${answer.status}, which no client can be given.`,
    )
  }
  if (lightBodyOf(answer) === undefined && (answer.bodyUsed || answer.body?.locked === true)) {
    throw new TypeError('The handler returned a Response whose body was read already. Return a clone of it.')
  }
  return answer
}
