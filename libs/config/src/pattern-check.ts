/** Does a number pattern compile, and does its replacement fit it? */
import { compilePattern, compileTemplate } from '@tandem/numbers/pattern.ts'
import type { Findings } from './findings.ts'
import type { Path } from './source.ts'

/** `at` is the path of the pattern; its replacement is beside it under `to`. */
export function checkPattern(at: Path, match: string, to: string | null, found: Findings): void {
  const compiled = compilePattern(match)
  if (compiled.kind === 'unsupported') {
    found.problem(at, compiled.message, compiled.hint)
    return
  }
  if (!match.startsWith('^')) {
    found.warn(
      at,
      `the pattern ${match} is not anchored: it also matches in the middle of a number`,
      `Write '^${match}'.`,
    )
  }
  if (to === null) return
  const { groups } = compiled.pattern
  const { highestGroup } = compileTemplate(to)
  if (highestGroup <= groups) return
  found.problem(
    [...at.slice(0, -1), 'to'],
    `$${highestGroup} is not there: the pattern has ${groups === 0 ? 'no groups' : groups === 1 ? 'one group' : `${groups} groups`}`,
    groups === 0 ? 'Put ( ) around the digits that are kept.' : groups === 1 ? 'Use $1.' : `Use $1 to $${groups}.`,
  )
}
