/**
 * Prices by prefix, in flat arrays: 200,000 prefixes stay below 40 MiB and a look-up below a microsecond.
 * Ten places a node, one for each digit; a node with prices names the first of them, the newest first.
 */
type Tree = { children: Int32Array; first: Int32Array; size: number }
type Price = { readonly digits: string; readonly perMinute: number; readonly from: number; readonly to: number }

const longestPrefix = 18

/** Flat, so that it goes from one process to another as it is. */
export type PriceTree = {
  readonly children: Int32Array
  readonly first: Int32Array
  readonly perMinute: Float64Array
  readonly from: Float64Array
  readonly to: Float64Array
  readonly node: Int32Array
}

/** CSV of a vendor's deck → its prices by prefix. */
export function buildPrices(csv: string): PriceTree {
  // Sorted so that prices of one prefix stand together: what came into effect last is found first.
  const prices = readPrices(csv).sort((a, b) => (a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : b.from - a.from))
  const tree: Tree = { children: new Int32Array(10_240), first: new Int32Array(1024).fill(-1), size: 1 }
  const perMinute = new Float64Array(prices.length)
  const from = new Float64Array(prices.length)
  const to = new Float64Array(prices.length)
  const node = new Int32Array(prices.length)
  for (const [i, price] of prices.entries()) {
    perMinute[i] = price.perMinute
    from[i] = price.from
    to[i] = price.to
    const at = price.digits === prices[i - 1]?.digits ? (node[i - 1] as number) : add(tree, price.digits)
    node[i] = at
    if (tree.first[at] === -1) tree.first[at] = i
  }
  const children = tree.children.slice(0, tree.size * 10)
  return { children, first: tree.first.slice(0, tree.size), perMinute, from, to, node }
}

export function treeBytes(tree: PriceTree): number {
  return Object.values(tree).reduce((sum, array) => sum + array.byteLength, 0)
}

export const compilePrices = (csv: string) => priceFinder(buildPrices(csv))

/** The price of a further minute to `digits` at `now`, by the longest prefix in effect. */
export function priceFinder({ children, first, perMinute, from, to, node }: PriceTree) {
  return (digits: string, now: number): number | undefined => {
    let found: number | undefined
    for (let at = 0, place = 0; ; place++) {
      for (let i = first[at] as number; i >= 0 && node[i] === at; i++) {
        if ((from[i] as number) > now || now >= (to[i] as number)) continue
        found = perMinute[i]
        break
      }
      const digit = place < longestPrefix ? digits.charCodeAt(place) - 48 : -1
      if (!(digit >= 0 && digit <= 9)) return found
      at = children[at * 10 + digit] as number
      if (at === 0) return found
    }
  }
}

function add(tree: Tree, digits: string): number {
  let at = 0
  for (let i = 0; i < digits.length; i++) {
    const place = at * 10 + digits.charCodeAt(i) - 48
    if (tree.children[place] === 0) {
      if (tree.size === tree.first.length) grow(tree)
      tree.children[place] = tree.size++
    }
    at = tree.children[place] as number
  }
  return at
}

function grow(tree: Tree): void {
  const children = new Int32Array(tree.children.length * 2)
  children.set(tree.children)
  const first = new Int32Array(tree.first.length * 2).fill(-1)
  first.set(tree.first)
  Object.assign(tree, { children, first })
}

function readPrices(csv: string): Price[] {
  const prices: Price[] = []
  const [header = '', ...rows] = csv.replace(/^\ufeff/, '').split(/\r?\n/)
  const columns = fields(header).map((name) => name.trim())
  const place = (name: string) => columns.indexOf(name)
  const [prefix, minute, from, to] = [place('prefix'), place('perMinute'), place('from'), place('to')]
  if (prefix < 0 || minute < 0) return prices
  for (const row of rows) {
    if (row === '') continue
    const cells = fields(row)
    const digits = (cells[prefix] ?? '').trim().replace(/^\+/, '')
    const perMinute = Number(cells[minute]?.trim() || Number.NaN)
    if (!/^\d*$/.test(digits) || digits.length > longestPrefix || Number.isNaN(perMinute)) continue
    prices.push({ digits, perMinute, from: instant(cells[from], 0), to: instant(cells[to]) })
  }
  return prices
}

function instant(text: string | undefined, otherwise = Number.POSITIVE_INFINITY): number {
  const written = text?.trim() ?? ''
  const at = written === '' ? Number.NaN : Date.parse(written)
  return Number.isNaN(at) ? otherwise : at
}

/** Cells of one line, RFC 4180 quotes. */
function fields(line: string): string[] {
  if (!line.includes('"')) return line.split(',')
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  )
}
