/** A router's tables as large as asked for, and calls whose answers are known. */
import { type Revision, writeRevision } from '@tandem/config/revision.ts'
import type { RouteQuestion } from '@tandem/contracts/routing.ts'

export interface TableSize {
  users: number
  numbers: number
  prefixes: number
  /** normalisation rules in the dial plan */
  rules: number
}

export const DECK = 'a.csv'

/** In odd revisions carrier `a` is the cheaper one. */
export function benchRevision(size: TableSize, revision: number): Uint8Array {
  const base = revision % 2 ? 0.001 : 0.02
  const parts: Revision = {
    ...{ revision, by: 'bench', at: new Date().toISOString(), why: 'measurement' },
    source: [{ path: 'bench.yaml', text: configuration(size) }],
    decks: {
      'numbers.csv': benchInventory(size),
      [DECK]: benchDeck(size.prefixes, base),
      'b.csv': benchDeck(size.prefixes, 0.01),
    },
  }
  return writeRevision(parts)
}

/** The number with this place in the list: none of those that are called out. */
export const numberAt = (i: number): string => `+44${2_000_000_000 + i * 7}`
const ownerAt = (i: number, { users }: Pick<TableSize, 'users'>): string => `u${i % users}`

export interface BenchCall {
  question: RouteQuestion
  /** First step of the right plan, by the revision that decides. */
  expected(revision: number): string
}

/** `at`: 0 to 1. Half of the calls go out over the cheaper of two decks, half come in for one of the numbers. */
export function benchCall(size: TableSize, id: number, at: number): BenchCall {
  const more = { callId: `bench-${id}`, sourceAddress: '192.0.2.1', at: new Date().toISOString() }
  if (id % 2 === 0) {
    const dialled = `9${prefixAt(Math.floor(at * size.prefixes))}`.padEnd(12, '5')
    return {
      question: {
        ...{ ...more, dialled, requestUri: `sip:${dialled}@bench.example`, from: { number: '' } },
        source: { kind: 'user', user: ownerAt(Math.floor(at * size.users), size), site: 'hq' },
      },
      expected: (revision) => (revision % 2 ? 'a' : 'b'),
    }
  }
  const i = Math.floor(at * size.numbers)
  const dialled = numberAt(i)
  return {
    question: {
      ...{ ...more, dialled, requestUri: `sip:${dialled}@bench.example`, from: { number: '+12065550199' } },
      source: { kind: 'trunk', trunk: 'a' },
    },
    expected: () => ownerAt(i, size),
  }
}

/** North American prefixes of seven digits: as many as there are area codes and exchanges, then of eight. */
function prefixAt(i: number): string {
  return `1${200 + (i % 800)}${String(Math.floor(i / 800)).padStart(4, '0')}`
}

/** Every number of North America has a price; `price` is that of a minute. */
export function benchDeck(prefixes: number, price: number): string {
  const rows = ['prefix,name,connect,perMinute', `1,North America,0,${price}`]
  for (let i = 0; i < prefixes - 1; i++) rows.push(`${prefixAt(i)},x,0,${price}`)
  return rows.join('\n')
}

/** A list of numbers; each is that of a user. */
export function benchInventory(size: Pick<TableSize, 'numbers' | 'users'>): string {
  const rows = ['number,user']
  for (let i = 0; i < size.numbers; i++) rows.push(`${numberAt(i)},${ownerAt(i, size)}`)
  return rows.join('\n')
}

/** Rules of a dial plan that no number of the measurement matches. */
export function benchRules(count: number): { name: string; match: string; to: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `r${i}`,
    match: `^(${i % 10}${String(i).padStart(3, '0')}\\d{4})$`,
    to: '+1425$1',
  }))
}

function configuration({ users, rules }: TableSize): string {
  const people = Array.from({ length: users }, (_, i) => `  u${i}: { site: hq, policy: all, password: { env: P } }`)
  const plan = benchRules(rules - 1).map(
    ({ name, match, to }) => `      - { name: ${name}, match: '${match}', to: '${to}' }`,
  )
  const trunk = (name: string) =>
    `  ${name}: { to: ["sip:192.0.2.1"], from: ["192.0.2.${name === 'a' ? 1 : 2}"], listener: in, emergency: true, cost: ${name} }`
  return `version: 1
domain: bench.example
country: US
edge:
  listen: { in: { url: "udp://127.0.0.1:5060" } }
  media: { relay: embedded, address: 127.0.0.1 }
sites:
  hq: { dialPlan: all }
dialPlans:
  all:
    externalPrefix: "9"
    rules:
${plan.join('\n')}
      - { name: long-distance, match: '^(1\\d{10})$', to: '+$1' }
policies:
  all: { usages: [world] }
routes:
  - { name: world, match: '^\\+', usages: [world], trunks: [a, b], select: cost }
trunks:
${trunk('a')}
${trunk('b')}
users:
${people.join('\n')}
numbers:
  - { file: numbers.csv }
emergency: { numbers: ["911"], trunks: [a, b] }
rateDecks:
  a: { kind: per-minute, currency: USD, file: ${DECK} }
  b: { kind: per-minute, currency: USD, file: b.csv }
`
}
