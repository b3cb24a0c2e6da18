/**
 * A deck in flat arrays: look-ups need no other object, and another process may make it (what it takes to read 200,000 rows
 * would hold up whoever rates calls beside it).
 */
import type { Money } from '@tandem/money/money.ts'
import { buildPrefixTree, type PrefixTree, prefixTable } from './prefix-table.ts'

/** One price of a deck. Times are epoch ms, [from, to); an absent one is open. */
export interface DeckRow {
  /** Digits without +; '' is the catch-all. */
  prefix: string
  name: string
  /** Charged once for an answered call. */
  connect: Money
  perMinute: Money
  from?: number
  to?: number
}

/** A rate deck ready for look-ups: rows sorted by prefix, the newest `from` first. */
export interface Deck {
  readonly name: string
  readonly currency: string
  /** Hash of what was read: a price can be explained by it long after (B16). */
  readonly version: string
  readonly size: number
  /** The row for a number at a time: the longest prefix in effect beats every price. */
  find(number: string, at: number): DeckRow | undefined
  rows(): IterableIterator<DeckRow>
}

/** Rows sorted by prefix, then newest `from` first; texts stand one after the other, with the byte where each ends. */
export type PackedDeck = PrefixTree & {
  /** digits of each distinct prefix */
  readonly prefixes: Uint8Array
  readonly prefixEnds: Uint32Array
  /** of each prefix its first row, and how many rows there are */
  readonly firstRow: Uint32Array
  /** of each row, UTF-8 */
  readonly names: Uint8Array
  readonly nameEnds: Uint32Array
  readonly connect: BigInt64Array
  readonly perMinute: BigInt64Array
  /** epoch ms, infinite where open */
  readonly from: Float64Array
  readonly to: Float64Array
}

/** `rows` are sorted by prefix, then newest `from` first. */
export function packDeck(rows: readonly DeckRow[]): PackedDeck {
  const prefixes: string[] = []
  const firstRow: number[] = []
  const connect = new BigInt64Array(rows.length)
  const perMinute = new BigInt64Array(rows.length)
  const from = new Float64Array(rows.length).fill(Number.NEGATIVE_INFINITY)
  const to = new Float64Array(rows.length).fill(Number.POSITIVE_INFINITY)
  for (const [i, row] of rows.entries()) {
    if (prefixes[prefixes.length - 1] !== row.prefix || i === 0) {
      prefixes.push(row.prefix)
      firstRow.push(i)
    }
    connect[i] = row.connect
    perMinute[i] = row.perMinute
    if (row.from !== undefined) from[i] = row.from
    if (row.to !== undefined) to[i] = row.to
  }
  firstRow.push(rows.length)
  const [digits, names] = [packTexts(prefixes), packTexts(rows.map(({ name }) => name.toWellFormed()))]
  return {
    ...buildPrefixTree(prefixes),
    ...{ prefixes: digits.bytes, prefixEnds: digits.ends, names: names.bytes, nameEnds: names.ends },
    ...{ firstRow: Uint32Array.from(firstRow), connect, perMinute, from, to },
  }
}

export function deckOf(packed: PackedDeck, about: { name: string; currency: string; version: string }): Deck {
  const { prefixes, prefixEnds, firstRow, names, nameEnds, connect, perMinute, from, to } = packed
  const table = prefixTable(packed)
  const rowAt = (id: number, i: number): DeckRow => {
    const row: DeckRow = {
      prefix: textAt(prefixes, prefixEnds, id),
      name: textAt(names, nameEnds, i),
      connect: connect[i] as bigint,
      perMinute: perMinute[i] as bigint,
    }
    if (from[i] !== Number.NEGATIVE_INFINITY) row.from = from[i] as number
    if (to[i] !== Number.POSITIVE_INFINITY) row.to = to[i] as number
    return row
  }
  return {
    ...about,
    size: connect.length,
    find(number, at) {
      for (let id = table.longest(number); id >= 0; id = table.shorter(id)) {
        const end = firstRow[id + 1] as number
        for (let i = firstRow[id] as number; i < end; i += 1) {
          if (at >= (from[i] as number) && at < (to[i] as number)) return rowAt(id, i)
        }
      }
      return undefined
    },
    *rows() {
      for (let id = 0; id < prefixEnds.length; id += 1) {
        for (let i = firstRow[id] as number; i < (firstRow[id + 1] as number); i += 1) yield rowAt(id, i)
      }
    },
  }
}

function packTexts(texts: readonly string[]): { bytes: Uint8Array; ends: Uint32Array } {
  const ends = new Uint32Array(texts.length)
  let end = 0
  for (const [i, text] of texts.entries()) {
    end += Buffer.byteLength(text)
    ends[i] = end
  }
  return { bytes: new TextEncoder().encode(texts.join('')), ends }
}

const decoder = new TextDecoder()

function textAt(bytes: Uint8Array, ends: Uint32Array, i: number): string {
  return decoder.decode(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i]))
}
