/** The target cannot be tested, or the options make no sense: a sentence for the user, exit code 2. */
export class CannotTest extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CannotTest'
  }
}
