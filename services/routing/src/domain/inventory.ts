import type { Configuration, NumberEntry } from '@tandem/config/defaults.ts'
import { isE164 } from '@tandem/numbers/e164.ts'
import { type NumberIndex, type NumberRow, rangeRow, singleRow } from './number-index.ts'
import type { Authority, ForwardTarget, RoutedPolicy, RoutedUser } from './table.ts'

/** What is known about a number of ours beside who has it. */
export type OurNumber = {
  readonly reserved: boolean
  readonly failover: ForwardTarget | undefined
  /** By which a failover number is called when nobody has ours. */
  readonly authority: Authority | undefined
}

/** E.164 → the entry; a single number goes before the range around it. Undefined: not ours. */
export type Inventory = { find(number: string): OurNumber | undefined }

/** 15 digits are exact in a double. */
type Range = { readonly first: number; readonly last: number; readonly entry: OurNumber }

export function compileInventory(
  numbers: Configuration['numbers'],
  users: ReadonlyMap<string, RoutedUser>,
  policies: ReadonlyMap<string, RoutedPolicy>,
  files: readonly NumberIndex[] = [],
): Inventory {
  const single = new Map<string, OurNumber>()
  const ranges: Range[] = []
  for (const written of numbers) {
    const entry = compileEntry(written, users, policies)
    if (written.first === written.last) single.set(written.first, entry)
    else ranges.push({ first: Number(written.first), last: Number(written.last), entry })
  }
  ranges.sort((a, b) => a.first - b.first)
  if (files.length === 0) return { find: (number) => single.get(number) ?? inRange(ranges, number) }
  const rows = files.map((index) => index.rows.map((row) => compileEntry(entryOf(row), users, policies)))
  const inFiles = (rowOf: typeof singleRow, value: number): OurNumber | undefined => {
    for (const [i, index] of files.entries()) {
      const row = rowOf(index, value)
      if (row >= 0) return rows[i]?.[row]
    }
    return undefined
  }
  return {
    find(number) {
      const value = Number(number)
      return single.get(number) ?? inFiles(singleRow, value) ?? inRange(ranges, number) ?? inFiles(rangeRow, value)
    },
  }
}

function inRange(ranges: readonly Range[], number: string): OurNumber | undefined {
  const value = Number(number)
  let [low, high] = [0, ranges.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = ranges[middle] as Range
    if (value < range.first) high = middle - 1
    else if (value > range.last) low = middle + 1
    else return range.entry
  }
  return undefined
}

/** Ours, and nothing else to say: one for all of them. */
const plainly: OurNumber = { reserved: false, failover: undefined, authority: undefined }

const entryOf = ({ reserved, failover, policy }: NumberRow): Written => ({
  reserved,
  failover: failover ?? null,
  policy: policy ?? null,
})

type Written = Pick<NumberEntry, 'reserved' | 'failover' | 'policy'>

function compileEntry(
  { failover, policy, reserved }: Written,
  users: ReadonlyMap<string, RoutedUser>,
  policies: ReadonlyMap<string, RoutedPolicy>,
): OurNumber {
  if (!reserved && failover === null) return plainly
  const authority = policy === null ? undefined : policies.get(policy)?.forward
  if (failover === null) return { reserved, failover: undefined, authority }
  if (users.has(failover)) return { reserved, failover: { kind: 'user', user: failover }, authority }
  return { reserved, failover: isE164(failover) ? { kind: 'number', number: failover } : undefined, authority }
}
