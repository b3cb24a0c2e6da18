/** What is known of numbers that are not ours: where a ported one is served now, and what a caller is called (CNAM). */
import { isE164 } from '@tandem/numbers/e164.ts'

export type Ported = {
  /** The number that says which carrier serves it: LRN in North America (RFC 4694 `rn`), E.164. */
  readonly routingNumber: string
  readonly carrier: string | undefined
}

/** Asked in the middle of a decision: answers at once, from memory, or not at all. */
export type NumberFacts = {
  ported(number: string): Ported | undefined
  nameOf(number: string): string | undefined
}

/** More rows than any country has numbers that were ported are a mistake. */
const mostRows = 20_000_000
/** A display name; CNAM has 15 characters. */
const longestName = 64

export type ReadFacts<T> = { readonly facts: ReadonlyMap<string, T>; readonly wrong: number }

/** `number,routingNumber,carrier` with or without a header; the carrier may be left out. */
export function readPorted(csv: string): ReadFacts<Ported> {
  return readRows(csv, (rest) => {
    const [routing = '', carrier = ''] = rest.split(',').map((cell) => cell.trim())
    const routingNumber = plus(routing)
    return isE164(routingNumber) ? { routingNumber, carrier: carrier === '' ? undefined : carrier } : undefined
  })
}

/** `number,name` with or without a header; a name may stand in quotes. */
export function readNames(csv: string): ReadFacts<string> {
  return readRows(csv, (rest) => {
    const name = rest.replace(/^"|"$/g, '').replaceAll('""', '"').trim()
    return name === '' ? undefined : name.slice(0, longestName)
  })
}

const plus = (text: string): string => (text.startsWith('+') ? text : `+${text}`)

/** Line by line: these files are large, and simple. */
function readRows<T>(csv: string, read: (rest: string) => T | undefined): ReadFacts<T> {
  const facts = new Map<string, T>()
  let wrong = 0
  let at = 0
  for (let row = 0; at < csv.length && row < mostRows; row++) {
    const end = csv.indexOf('\n', at)
    const line = csv.slice(at, end < 0 ? csv.length : end).trim()
    at = end < 0 ? csv.length : end + 1
    if (line === '') continue
    const comma = line.indexOf(',')
    const first = comma < 0 ? line : line.slice(0, comma).trim()
    const number = plus(first.replace(/^"|"$/g, ''))
    const fact = isE164(number) ? read(line.slice(comma + 1).trim()) : undefined
    if (fact !== undefined) facts.set(number, fact)
    else if (row > 0) wrong++
  }
  return { facts, wrong }
}
