/**
 * A list of numbers from a file, in flat arrays: a million of them are some 20 MB, are found in less than a microsecond,
 * and go from one process to another as they are.
 */

/** What a row says beside the number; many rows say the same. */
export type NumberRow = {
  readonly user: string | undefined
  readonly reserved: boolean
  readonly failover: string | undefined
  readonly policy: string | undefined
}

/** Ascending by `first`; 15 digits are exact in a double. `row` points into `rows`. */
export type NumberIndex = {
  readonly singles: { readonly first: Float64Array; readonly row: Uint32Array }
  readonly ranges: { readonly first: Float64Array; readonly last: Float64Array; readonly row: Uint32Array }
  readonly rows: readonly NumberRow[]
}

const longestNumber = 15

/** `number,user,reserved,failover,policy,note` with a header, in any order; `number` may be `+1…-+1…`. Rows that cannot be read are left out. */
export function indexNumbers(csv: string): NumberIndex {
  const lines = csv.replace(/^\ufeff/, '').split('\n')
  const columns = cellsOf(lines[0] ?? '').map((name) => name.trim())
  const place = (name: string) => columns.indexOf(name)
  const [number, user, reserved, failover, policy] = [
    ...[place('number'), place('user'), place('reserved'), place('failover'), place('policy')],
  ] as [number, number, number, number, number]
  const rows: NumberRow[] = []
  const known = new Map<string, number>()
  const singles: { at: number; row: number }[] = []
  const ranges: { at: number; last: number; row: number }[] = []
  for (let i = 1; i < lines.length; i++) {
    const cells = cellsOf(lines[i] as string)
    const [first = '', last] = (cells[number] ?? '').trim().split('-')
    const at = digitsOf(first)
    if (at === undefined) continue
    const text = (column: number) => (column < 0 ? '' : (cells[column] ?? '').trim())
    const said = `${text(user)},${text(reserved)},${text(failover)},${text(policy)}`
    let row = known.get(said)
    if (row === undefined) {
      row = rows.length
      known.set(said, row)
      rows.push({
        user: text(user) || undefined,
        reserved: /^(true|yes|1)$/i.test(text(reserved)),
        failover: text(failover) || undefined,
        policy: text(policy) || undefined,
      })
    }
    const end = last === undefined ? at : digitsOf(last)
    if (end === undefined || end < at) continue
    if (end === at) singles.push({ at, row })
    else ranges.push({ at, last: end, row })
  }
  singles.sort((a, b) => a.at - b.at)
  ranges.sort((a, b) => a.at - b.at)
  return {
    singles: { first: Float64Array.from(singles, (s) => s.at), row: Uint32Array.from(singles, (s) => s.row) },
    ranges: {
      first: Float64Array.from(ranges, (r) => r.at),
      last: Float64Array.from(ranges, (r) => r.last),
      row: Uint32Array.from(ranges, (r) => r.row),
    },
    rows,
  }
}

/** Place in `rows` of a single number, or -1. */
export function singleRow({ singles }: NumberIndex, value: number): number {
  const at = floor(singles.first, value)
  return at >= 0 && singles.first[at] === value ? (singles.row[at] as number) : -1
}

/** Place in `rows` of the range around a number, or -1. */
export function rangeRow({ ranges }: NumberIndex, value: number): number {
  const at = floor(ranges.first, value)
  return at >= 0 && value <= (ranges.last[at] as number) ? (ranges.row[at] as number) : -1
}

/** Is any single number between the two, both included? */
export function anyBetween({ singles }: NumberIndex, from: number, to: number): boolean {
  const at = floor(singles.first, to)
  return at >= 0 && (singles.first[at] as number) >= from
}

/** E.164 → its digits as a number. */
export function digitsOf(number: string): number | undefined {
  if (!/^\+[1-9]\d{2,14}$/.test(number) || number.length > longestNumber + 1) return undefined
  return Number(number)
}

/** The last place with a value of at most this, or -1. */
function floor(list: Float64Array, value: number): number {
  let [low, high] = [0, list.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    if ((list[middle] as number) <= value) low = middle + 1
    else high = middle - 1
  }
  return high
}

function cellsOf(line: string): string[] {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (!text.includes('"')) return text.split(',')
  return Array.from(text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  )
}
