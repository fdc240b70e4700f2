/** A failure that the user can mend: its message is all they need to see. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}
