/** How often calls are told of: presence and billing take a call for gone after three silent minutes. */
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import { parseDuration } from './units.ts'

export function interimProblems({ edge }: ConfigurationDocument, found: Findings): void {
  if (edge.interim === undefined) return
  const ms = parseDuration(edge.interim)
  if (ms < 1000 || ms > 60_000)
    found.problem(
      ['edge', 'interim'],
      `${edge.interim}: a call is told of every 60 s, or more often`,
      'Write 1s to 60s.',
    )
}
