import type { Problem } from '@tandem/config/source.ts'
import { Failure } from '../failure.ts'

/** A configuration with problems. */
export class ProblemFailure extends Failure {
  readonly problems: readonly Problem[]
  constructor(message: string, remedy: string, problems: readonly Problem[]) {
    super(message, remedy, problems.map(problemLine))
    this.problems = problems
  }
}

/** `file:line:column  message. instead`, which terminals and editors make a link of. */
export function problemLine(p: Problem): string {
  return `${p.file}:${p.line}:${p.column}  ${p.message}. ${p.instead}`
}
