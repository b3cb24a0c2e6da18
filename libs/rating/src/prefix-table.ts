/**
 * Longest-prefix look-up over digit strings.
 *
 * A trie in one Int32Array, ten entries a node, leaf-pushed: an entry > 0 is the next node, an entry <= 0 is the
 * answer itself (0 nothing, -(id + 1) the longest prefix that got this far). So a digit costs one read and only prefixes
 * that others continue need a node. Ids are positions in the list given to `buildPrefixTable`.
 */
export interface PrefixTable {
  /** Id of the longest prefix of `number` (digits; a leading + is passed over), or -1. */
  longest(number: string): number
  /** Id of the next shorter prefix that covers prefix `id`, or -1. */
  shorter(id: number): number
  readonly size: number
  /** Bytes held by the table's arrays. */
  readonly bytes: number
}

/** The arrays of a table: flat, so that they go from one process to another as they are. */
export type PrefixTree = {
  readonly entries: Int32Array
  /** of each node: what answers when the number ends there */
  readonly own: Int32Array
  readonly shorterOf: Int32Array
}

const DIGITS = 10
const PLUS = 43
const ZERO = 48

/** Builds the table. Prefixes are distinct strings of 0-9; '' is the catch-all. Throws RangeError otherwise. */
export const buildPrefixTable = (prefixes: readonly string[]): PrefixTable => prefixTable(buildPrefixTree(prefixes))

/** The same, before anybody looks up. */
export function buildPrefixTree(prefixes: readonly string[]): PrefixTree {
  // In sorted order a prefix comes right before all that continue it, so the table fills depth first.
  const order = Uint32Array.from(prefixes.keys())
  if (!isAscending(prefixes)) order.sort((a, b) => compare(prefixes[a] as string, prefixes[b] as string))
  let entries = new Int32Array(1024 * DIGITS)
  let ownAnswer = new Int32Array(1024)
  const shorterOf = new Int32Array(prefixes.length)
  let nodes = 1

  const addNode = (inherited: number): number => {
    if (nodes === ownAnswer.length) {
      entries = grown(entries)
      ownAnswer = grown(ownAnswer)
    }
    entries.fill(inherited, nodes * DIGITS, (nodes + 1) * DIGITS)
    ownAnswer[nodes] = inherited
    nodes += 1
    return nodes - 1
  }

  let previous: string | undefined
  for (const id of order) {
    const prefix = prefixes[id] as string
    if (prefix === previous) throw new RangeError(`prefix ${prefix} is there twice`)
    previous = prefix
    if (prefix === '') {
      entries.fill(-(id + 1), 0, DIGITS)
      ownAnswer[0] = -(id + 1)
      shorterOf[id] = -1
      continue
    }
    let node = 0
    for (let i = 0; i < prefix.length - 1; i += 1) {
      const at = node * DIGITS + digitOf(prefix, i)
      const entry = entries[at] as number
      if (entry > 0) node = entry
      else {
        const made = addNode(entry)
        entries[at] = made
        node = made
      }
    }
    const at = node * DIGITS + digitOf(prefix, prefix.length - 1)
    shorterOf[id] = -(entries[at] as number) - 1
    entries[at] = -(id + 1)
  }

  return { entries: entries.slice(0, nodes * DIGITS), own: ownAnswer.slice(0, nodes), shorterOf }
}

export function prefixTable({ entries: table, own, shorterOf }: PrefixTree): PrefixTable {
  return {
    size: shorterOf.length,
    bytes: table.byteLength + own.byteLength + shorterOf.byteLength,
    shorter: (id) => shorterOf[id] as number,
    longest(number) {
      let node = 0
      const length = number.length
      for (let i = number.charCodeAt(0) === PLUS ? 1 : 0; i < length; i += 1) {
        const digit = number.charCodeAt(i) - ZERO
        if (digit < 0 || digit >= DIGITS) break
        const entry = table[node * DIGITS + digit] as number
        if (entry <= 0) return -entry - 1
        node = entry
      }
      return -(own[node] as number) - 1
    },
  }
}

function isAscending(prefixes: readonly string[]): boolean {
  for (let i = 1; i < prefixes.length; i += 1) {
    if ((prefixes[i - 1] as string) > (prefixes[i] as string)) return false
  }
  return true
}

function digitOf(prefix: string, at: number): number {
  const digit = prefix.charCodeAt(at) - ZERO
  if (!(digit >= 0 && digit < DIGITS)) throw new RangeError(`prefix "${prefix}" must be digits`)
  return digit
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
