/** The numbers that are ours: ranges, single numbers, who has them, where calls go when nobody does. */
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'

type Span = { first: number; last: number; at: Path; single: boolean }

export function inventoryProblems(d: ConfigurationDocument, found: Findings): void {
  const owners = new Map(Object.entries(d.users).flatMap(([name, u]) => (u.did ? [[u.did, name] as const] : [])))
  const users = new Set(Object.keys(d.users))
  const policies = new Set(Object.keys(d.policies))
  const spans: Span[] = []
  for (const [i, entry] of (d.numbers ?? []).entries()) {
    const at = ['numbers', i]
    if (entry.file !== undefined) {
      alone(entry, at, found)
      continue
    }
    const span = spanOf(entry, at, found)
    if (span === undefined) continue
    spans.push(span)
    const owner = entry.number === undefined ? undefined : owners.get(entry.number)
    if (entry.user !== undefined) {
      found.refer([...at, 'user'], entry.user, 'user', users)
      if (entry.range) found.problem([...at, 'user'], 'a range has many numbers, a user one', 'Write number: "+1…".')
      if (owner !== undefined && owner !== entry.user)
        found.problem(
          [...at, 'user'],
          `${entry.number} is the DID of ${owner}`,
          'Take user away here, or the did there.',
        )
    }
    const has = owner ?? entry.user
    if (entry.reserved && has !== undefined)
      found.problem([...at, 'reserved'], `${entry.number} is reserved, but ${has} has it`, 'Take one of the two away.')
    failover(d, entry, [...at, 'failover'], has, found)
    found.refer([...at, 'policy'], entry.policy, 'policy', policies)
  }
  overlaps(spans, found)
  strays(owners, spans, found)
}

/** With ranges at hand, a DID outside of them is likely mistyped. One pass over both in order: there may be a million. */
function strays(owners: ReadonlyMap<string, string>, spans: readonly Span[], found: Findings): void {
  if (spans.every((s) => s.single)) return
  const ranges = spans.filter((s) => !s.single).sort((a, b) => a.first - b.first)
  const singles = new Set(spans.filter((s) => s.single).map((s) => s.first))
  let at = 0
  for (const { did, name, number } of [...owners]
    .map(([did, name]) => ({ did, name, number: Number(did) }))
    .sort((a, b) => a.number - b.number)) {
    while (at < ranges.length && (ranges[at] as Span).last < number) at++
    const range = ranges[at]
    if (singles.has(number) || (range !== undefined && range.first <= number)) continue
    found.warn(['users', name, 'did'], `${did} is in none of numbers`, 'Add its range to numbers, or mend the DID.')
  }
}

/** What a row of a file says stands in the file. */
function alone(entry: Entry, at: Path, found: Findings): void {
  const more = Object.keys(entry).filter((key) => key !== 'file' && key !== 'note')
  if (more.length > 0)
    found.problem(
      [...at, 'file'],
      `${more.join(', ')} cannot be said of a whole file`,
      'Write it into its rows.',
      'key',
    )
}

type Entry = NonNullable<ConfigurationDocument['numbers']>[number]

function spanOf({ number, range }: Entry, at: Path, found: Findings): Span | undefined {
  if ((number === undefined) === (range === undefined)) {
    found.problem(
      at,
      'an entry is either one number or a range, or a file',
      'Write number: "+1…", range: "+1…-+1…" or file: numbers.csv.',
      'key',
    )
    return undefined
  }
  const [first = '', last = first] = number === undefined ? (range as string).split('-') : [number]
  if (first.length !== last.length || Number(first) > Number(last)) {
    found.problem([...at, 'range'], 'the last number is before the first, or of another length', 'Write them in order.')
    return undefined
  }
  return { first: Number(first), last: Number(last), at, single: number !== undefined }
}

function failover(d: ConfigurationDocument, e: Entry, at: Path, has: string | undefined, found: Findings): void {
  const { failover: target } = e
  if (target === undefined || d.users[target] !== undefined) return
  if (!/^\+[1-9]\d{2,14}$/.test(target)) {
    found.refer(at, target, 'user', new Set(Object.keys(d.users)))
  } else if (has === undefined && e.policy === undefined) {
    found.problem(
      at,
      `nothing says by which usages ${target} may be called`,
      `Add policy: ${Object.keys(d.policies)[0] ?? 'staff'}; its forward usages count.`,
    )
  }
}

/** A single number may lie in a range and goes before it; two ranges, or the same number twice, contradict each other. */
function overlaps(spans: readonly Span[], found: Findings): void {
  for (const single of [true, false]) {
    const sorted = spans.filter((s) => s.single === single).sort((a, b) => a.first - b.first)
    for (const [i, span] of sorted.entries()) {
      const before = sorted[i - 1]
      if (before === undefined || before.last < span.first) continue
      const what = single ? 'this number is there twice' : 'two ranges have numbers in common'
      found.problem(span.at, what, `The other is at ${found.where(before.at)}: keep each number once.`)
    }
  }
}
