/** A failure that a person can do something about: printed without a stack, exit status 1. */
export class Failure extends Error {
  readonly remedy: string
  /** Shown as it is below the message, e.g. a list of problems. */
  readonly details: readonly string[]

  constructor(message: string, remedy: string, details: readonly string[] = []) {
    super(message)
    this.remedy = remedy
    this.details = details
  }
}
