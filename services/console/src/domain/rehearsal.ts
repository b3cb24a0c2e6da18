import type { Configuration } from '@tandem/config/defaults.ts'

/** The contract's bound for a configuration that is rehearsed, less what the source and JSON around it need. */
const mostCharacters = 3_000_000

/**
 * The rate decks that the router needs to decide as it would after `apply`: those of trunks that a route with
 * `select: cost` names. What does not fit is left out, the largest first: its trunk then has no price in the rehearsal.
 */
export function decksToRehearse(
  { routes, trunks, rateDecks }: Pick<Configuration, 'routes' | 'trunks' | 'rateDecks'>,
  decks: Readonly<Record<string, string>>,
): { decks: Record<string, string>; left: string[] } {
  const compared = new Set(routes.filter((r) => r.select === 'cost' && r.trunks.length > 1).flatMap((r) => r.trunks))
  const files = new Set<string>()
  for (const name of compared) {
    const deck = rateDecks[trunks[name]?.cost ?? '']
    if (deck?.kind === 'per-minute') files.add(deck.file)
  }
  const sent: Record<string, string> = {}
  const left: string[] = []
  let size = 0
  for (const file of [...files].sort((a, b) => (decks[a]?.length ?? 0) - (decks[b]?.length ?? 0))) {
    const text = decks[file]
    if (text === undefined) continue
    if (size + text.length > mostCharacters) left.push(file)
    else {
      size += text.length
      sent[file] = text
    }
  }
  return { decks: sent, left }
}
