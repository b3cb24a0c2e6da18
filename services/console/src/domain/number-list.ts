/** The numbers that are ours: ranges, DIDs, further numbers, ELINs, with who has them and what becomes of their calls. */
import type { Configuration, NumberEntry } from '@tandem/config/defaults.ts'

/**
 * `unassigned`: ours, nobody has it; its calls are refused with 404 or go to `failover`. `emergency`: an ELIN, for the call
 * back from a PSAP.
 */
export type NumberState = 'assigned' | 'reserved' | 'unassigned' | 'emergency'
export interface NumberView {
  /** E.164; of a range the first one. */
  number: string
  /** Of a range, else the number itself. */
  last: string
  kind: 'did' | 'number' | 'range' | 'elin'
  state: NumberState
  user?: string
  /** Site or location of an ELIN. */
  site?: string
  failover?: string
  policy?: string
  note?: string
  /** Of a range: how many numbers, and how many of them somebody has. */
  size?: number
  assigned?: number
}

type Numbers = Pick<Configuration, 'users' | 'numbers' | 'emergency'>

/** A list of numbers that the configuration names (`numbers: [{ file }]`): `number,user,reserved,failover,policy,note`. */
export function readNumberFile(csv: string): NumberEntry[] {
  return csv.split(/\r?\n/).flatMap((line) => {
    const [numbers = '', user = '', reserved = '', failover = '', policy = '', ...note] = line
      .split(',')
      .map((cell) => cell.trim())
    const [, first, last = first] = /^(\+[1-9]\d{2,14})(?:-(\+[1-9]\d{2,14}))?$/.exec(numbers) ?? []
    if (first === undefined || last === undefined) return []
    const or = (text: string) => (text === '' ? null : text)
    const entry = { first, last, user: or(user), failover: or(failover), policy: or(policy), note: or(note.join(',')) }
    return [{ ...entry, reserved: reserved === 'true' }]
  })
}

/** In the order of the numbers; a range before what lies in it. `more`: those of files. */
export function listNumbers(c: Numbers, more: readonly NumberEntry[] = []): NumberView[] {
  const singles = new Map<string, NumberView>()
  for (const [user, { did }] of Object.entries(c.users))
    if (did !== null) singles.set(did, { number: did, last: did, kind: 'did', state: 'assigned', user })
  for (const [site, numbers] of Object.entries(c.emergency.elins))
    for (const number of numbers) singles.set(number, { number, last: number, kind: 'elin', state: 'emergency', site })
  const ranges: NumberView[] = []
  for (const entry of [...c.numbers, ...more]) {
    if (entry.first !== entry.last) ranges.push(rangeOf(entry))
    else singles.set(entry.first, { ...singleOf(entry), ...singles.get(entry.first), ...details(entry) })
  }
  const taken = [...singles.values()].filter(({ state }) => state !== 'unassigned').map(({ number }) => Number(number))
  taken.sort((a, b) => a - b)
  for (const range of ranges) range.assigned = below(taken, Number(range.last) + 1) - below(taken, Number(range.number))
  return [...ranges, ...singles.values()].sort(inOrder)
}

function inOrder(a: NumberView, b: NumberView): number {
  if (a.number !== b.number) return Number(a.number) - Number(b.number)
  return a.kind === 'range' ? -1 : b.kind === 'range' ? 1 : 0
}

/** How many of a sorted list are less. */
export function below(sorted: ArrayLike<number>, value: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}

const details = ({ failover, policy, note }: NumberEntry) => ({
  ...(failover === null ? {} : { failover }),
  ...(policy === null ? {} : { policy }),
  ...(note === null ? {} : { note }),
})

function singleOf(entry: NumberEntry): NumberView {
  const { first, user, reserved } = entry
  const state = user !== null ? 'assigned' : reserved ? 'reserved' : 'unassigned'
  return { number: first, last: first, kind: 'number', state, ...(user === null ? {} : { user }) }
}

function rangeOf(entry: NumberEntry): NumberView {
  const { first, last, reserved } = entry
  const size = Number(last) - Number(first) + 1
  return { number: first, last, kind: 'range', state: reserved ? 'reserved' : 'unassigned', size, ...details(entry) }
}

/** What is said of one number: its own entry, else the range around it. */
export function findNumber(numbers: readonly NumberView[], number: string): NumberView | undefined {
  const value = Number(number)
  const own = numbers.find((view) => view.kind !== 'range' && view.number === number)
  return (
    own ??
    numbers.find(({ kind, number: first, last }) => kind === 'range' && Number(first) <= value && value <= Number(last))
  )
}
