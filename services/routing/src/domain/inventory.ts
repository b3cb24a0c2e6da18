import type { Configuration, NumberEntry } from '@tandem/config/defaults.ts'
import { isE164 } from '@tandem/numbers/e164.ts'
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
): Inventory {
  const single = new Map<string, OurNumber>()
  const ranges: Range[] = []
  for (const written of numbers) {
    const entry = compileEntry(written, users, policies)
    if (written.first === written.last) single.set(written.first, entry)
    else ranges.push({ first: Number(written.first), last: Number(written.last), entry })
  }
  ranges.sort((a, b) => a.first - b.first)
  return { find: (number) => single.get(number) ?? inRange(ranges, number) }
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

function compileEntry(
  { failover, policy, reserved }: NumberEntry,
  users: ReadonlyMap<string, RoutedUser>,
  policies: ReadonlyMap<string, RoutedPolicy>,
): OurNumber {
  if (!reserved && failover === null) return plainly
  const authority = policy === null ? undefined : policies.get(policy)?.forward
  if (failover === null) return { reserved, failover: undefined, authority }
  if (users.has(failover)) return { reserved, failover: { kind: 'user', user: failover }, authority }
  return { reserved, failover: isE164(failover) ? { kind: 'number', number: failover } : undefined, authority }
}
