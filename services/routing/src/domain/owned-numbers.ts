/** Who has which number: DIDs of users and further numbers from the configuration, and those of files. */
import { anyBetween, digitsOf, type NumberIndex, singleRow } from './number-index.ts'
import type { RoutedUser } from './table.ts'

/** E.164 → who has it. */
export type Owners = {
  get(number: string): RoutedUser | undefined
  has(number: string): boolean
  readonly size: number
}

/** Thousands in which we have numbers, as `blockOf` writes them. */
export type Blocks = { has(block: string): boolean }

export function ownersOf(
  dids: ReadonlyMap<string, RoutedUser>,
  files: readonly NumberIndex[],
  users: ReadonlyMap<string, RoutedUser>,
): Owners {
  if (files.length === 0) return dids
  const found = (number: string): RoutedUser | undefined => {
    const value = digitsOf(number)
    if (value === undefined) return undefined
    for (const index of files) {
      const row = singleRow(index, value)
      const user = row < 0 ? undefined : index.rows[row]?.user
      if (user !== undefined) return users.get(user)
    }
    return undefined
  }
  const get = (number: string) => dids.get(number) ?? found(number)
  const size = files.reduce((sum, { singles }) => sum + singles.first.length, dids.size)
  return { get, has: (number) => get(number) !== undefined, size }
}

export function blocksOf(written: ReadonlySet<string>, files: readonly NumberIndex[]): Blocks {
  if (files.length === 0) return written
  return {
    has(block) {
      if (written.has(block)) return true
      const first = digitsOf(`${block}000`)
      return first !== undefined && files.some((index) => anyBetween(index, first, first + 999))
    },
  }
}
