import { nameAndMessage } from '../../core/errors.ts'

/**
 * What is wrong, in the words of the driver. A refused connection to a name with several addresses has its reasons
 * inside, and no message.
 */
export function detailOf(error: unknown, code: string | undefined): string {
  const { message } = nameAndMessage(error)
  if (message !== '') return message
  if (error instanceof AggregateError)
    return error.errors.map((each) => nameAndMessage(each).message).join('; ')
  return code ?? 'without a reason'
}
