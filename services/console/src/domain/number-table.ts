/**
 * The list of numbers in flat arrays: a million of them are some 25 MB, a page of them is found in a moment, and they go
 * from one process to another as they are.
 */
import { below, type NumberState, type NumberView } from './number-list.ts'

/** What is said of a number beside the number itself; many numbers say the same. */
export type NumberDetail = Omit<NumberView, 'number' | 'last' | 'size' | 'assigned'>

/** In the order of the list. 15 digits are exact in a double. */
export interface NumberTable {
  readonly first: Float64Array
  readonly last: Float64Array
  /** place in `details` */
  readonly detail: Uint32Array
  /** of a range: how many of it somebody has */
  readonly assigned: Uint32Array
  readonly details: readonly NumberDetail[]
}

export interface NumberQuery {
  state?: NumberState | undefined
  user?: string | undefined
  /** `+1425` */
  startsWith?: string | undefined
}

const MOST_DIGITS = 15

export function packNumbers(list: readonly NumberView[]): NumberTable {
  const details: NumberDetail[] = []
  const known = new Map<string, number>()
  const table = {
    first: new Float64Array(list.length),
    last: new Float64Array(list.length),
    detail: new Uint32Array(list.length),
    assigned: new Uint32Array(list.length),
  }
  for (const [i, view] of list.entries()) {
    const { number, last, size, assigned, ...detail } = view
    const said = JSON.stringify(detail)
    let place = known.get(said)
    if (place === undefined) {
      place = details.push(detail) - 1
      known.set(said, place)
    }
    table.first[i] = Number(number)
    table.last[i] = Number(last)
    table.detail[i] = place
    table.assigned[i] = assigned ?? 0
  }
  return { ...table, details }
}

export function viewAt(table: NumberTable, i: number): NumberView {
  const [first, last] = [table.first[i] as number, table.last[i] as number]
  const detail = table.details[table.detail[i] as number] as NumberDetail
  const range = detail.kind === 'range' ? { size: last - first + 1, assigned: table.assigned[i] as number } : {}
  return { number: `+${first}`, last: `+${last}`, ...detail, ...range }
}

/** Those that fit, from the place `from` among them on, and how many there are in all. */
export function pageOf(
  table: NumberTable,
  { state, user, startsWith = '+' }: NumberQuery,
  from: number,
  limit: number,
): { numbers: NumberView[]; total: number } {
  const fits = Uint8Array.from(table.details, (d) =>
    (state === undefined || d.state === state) && (user === undefined || d.user === user) ? 1 : 0,
  )
  const numbers: NumberView[] = []
  let total = 0
  for (const [low, high] of spans(table, startsWith.slice(1))) {
    for (let i = low; i < high; i++) {
      if (fits[table.detail[i] as number] === 0) continue
      if (total >= from && numbers.length < limit) numbers.push(viewAt(table, i))
      total++
    }
  }
  return { numbers, total }
}

/** What is said of one number: its own entry, else the first range around it. */
export function findIn(table: NumberTable, number: string): NumberView | undefined {
  const value = Number(number)
  const kind = (i: number) => (table.details[table.detail[i] as number] as NumberDetail).kind
  const after = below(table.first, value + 1)
  for (let i = below(table.first, value); i < after; i++) if (kind(i) !== 'range') return viewAt(table, i)
  for (let i = 0; i < after; i++) if (kind(i) === 'range' && (table.last[i] as number) >= value) return viewAt(table, i)
  return undefined
}

/** Places of the numbers that begin with these digits: one span for each length that a number may have. */
function spans({ first }: NumberTable, digits: string): [low: number, high: number][] {
  if (digits === '') return [[0, first.length]]
  const value = Number(digits)
  return Array.from({ length: MOST_DIGITS + 1 - digits.length }, (_, more): [number, number] => [
    below(first, value * 10 ** more),
    below(first, (value + 1) * 10 ** more),
  ])
}
