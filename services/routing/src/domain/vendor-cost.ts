import type { RateDeck } from '@tandem/config/defaults.ts'

/**
 * What one more minute on a trunk costs, to put trunks in order. Never an amount of money: billing rates calls exactly.
 * A bandwidth deck costs nothing more for one more call below its commit.
 */
export type VendorCost = (digits: string, now: number) => number | undefined

type Price = { readonly perMinute: number; readonly from: number; readonly to: number }

/** `csv`: `prefix,name,connect,perMinute,from,to` with a header; rows that cannot be read are billing's to report. */
export function compileCost(deck: RateDeck | undefined, csv: string | undefined): VendorCost | undefined {
  if (deck === undefined) return undefined
  if (deck.kind === 'bandwidth') return () => 0
  if (csv === undefined) return undefined
  const prices = readPrices(csv)
  return (digits, now) => {
    for (let length = Math.min(digits.length, 18); length >= 0; length--) {
      const found = prices.get(digits.slice(0, length))?.find(({ from, to }) => from <= now && now < to)
      if (found !== undefined) return found.perMinute
    }
    return undefined
  }
}

function readPrices(csv: string): Map<string, Price[]> {
  const [header = '', ...rows] = csv.split(/\r?\n/)
  const columns = fields(header).map((name) => name.trim())
  const place = (name: string) => columns.indexOf(name)
  const [prefix, perMinute, from, to] = [place('prefix'), place('perMinute'), place('from'), place('to')]
  const prices = new Map<string, Price[]>()
  if (prefix < 0 || perMinute < 0) return prices
  for (const row of rows) {
    const cells = fields(row)
    const digits = (cells[prefix] ?? '').trim().replace(/^\+/, '')
    const price = {
      perMinute: Number(cells[perMinute] || Number.NaN),
      from: instant(cells[from], 0),
      to: instant(cells[to]),
    }
    if (row === '' || !/^\d*$/.test(digits) || Number.isNaN(price.perMinute)) continue
    const same = prices.get(digits)
    if (same === undefined) prices.set(digits, [price])
    else same.push(price)
  }
  // The newest price that is in effect counts.
  for (const same of prices.values()) same.sort((a, b) => b.from - a.from)
  return prices
}

function instant(text: string | undefined, otherwise = Number.POSITIVE_INFINITY): number {
  const at = Date.parse(text?.trim() || '-')
  return Number.isNaN(at) ? otherwise : at
}

/** Cells of one line, RFC 4180 quotes. */
function fields(line: string): string[] {
  if (!line.includes('"')) return line.split(',')
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  )
}
